#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles the programs of refused/ and accepted/ with each compiler that is given.

A program of refused/ must fail, and the first error must say what its `// error:` line says; one of accepted/
must compile without a warning. The whole runtime's header is compiled once per compiler, ahead of them.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fdiagnostics-color=never"]
# g++ 12 warns of its own coroutine frames; see docs/gcc12.md.
GCC_FLAGS = ["-fcoroutines", "-Wno-maybe-uninitialized", "-Wno-null-dereference", "-Wno-dangling-pointer"]


def is_clang(compiler):
    return "clang" in pathlib.Path(compiler).name


def flags_of(compiler, include):
    own = ["-Wno-unused-function"] if is_clang(compiler) else GCC_FLAGS
    return [compiler, *FLAGS, *own, f"-I{include}"]


def precompile(compiler, include, folder):
    header = folder / "eddy_ahead.hpp"
    header.write_text("#include <eddy/eddy.hpp>\n")
    output = folder / ("eddy_ahead.pch" if is_clang(compiler) else "eddy_ahead.hpp.gch")
    subprocess.run([*flags_of(compiler, include), "-x", "c++-header", header, "-o", output], check=True)
    return ["-include-pch", output] if is_clang(compiler) else ["-include", header]


def compile_one(command, source):
    done = subprocess.run([*command, "-fsyntax-only", source], capture_output=True, text=True)
    return done.returncode, done.stderr


def first_error(text):
    for line in text.splitlines():
        if re.search(r"\berror: ", line):
            return line
    return ""


def complaint(source, returncode, text):
    """What is wrong, or None."""
    expected = re.search(r"^// error: (.+)$", source.read_text(), re.M)
    if source.parent.name == "accepted":
        return None if returncode == 0 else f"does not compile:\n{text}"
    if returncode == 0:
        return "compiles, and must not"
    line = first_error(text)
    return None if expected[1] in line else f"expected the first error to say\n    {expected[1]}\n  and it is\n    {line}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--include", required=True)
    parser.add_argument("--compiler", action="append", required=True)
    arguments = parser.parse_args()
    sources = sorted(HERE.glob("refused/*.cpp")) + sorted(HERE.glob("accepted/*.cpp"))
    failed = 0
    for compiler in arguments.compiler:
        with tempfile.TemporaryDirectory() as name:
            command = flags_of(compiler, arguments.include)
            command += precompile(compiler, arguments.include, pathlib.Path(name))
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                results = pool.map(lambda source: compile_one(command, source), sources)
                for source, (returncode, text) in zip(sources, results):
                    wrong = complaint(source, returncode, text)
                    if wrong:
                        failed += 1
                        print(f"{compiler}: {source.parent.name}/{source.name}: {wrong}")
    counts = {kind: sum(s.parent.name == kind for s in sources) for kind in ("refused", "accepted")}
    print(f"{counts['refused']} programs refused, {counts['accepted']} accepted, "
          f"by {len(arguments.compiler)} compilers: {failed} failed")
    return 1 if failed or min(counts.values()) == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

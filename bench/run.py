#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the peers side by side, prints the tables and the marks, and writes them to bench/RESULTS.md.

    ./dev bench                    everything, under ten minutes
    ./dev bench core echo          some of it; the other sections of RESULTS.md stay as they are
    ./dev bench --quick            a smoke run: one short round, nothing is written
"""
import argparse
import os
import platform
import re
import subprocess
import sys
import time

import suites

HEAD = """# Measurements

Made by `./dev bench`; how to read and repeat them: [docs/performance.md](../docs/performance.md). Read the ratios: absolute
numbers belong to one machine on one day, and other programs ran beside them.
"""


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "none"
    return (done.stdout + done.stderr).splitlines()[0].strip()


def environment():
    """The machine's class and the versions that matter; nothing that names the machine."""
    with open("/proc/cpuinfo") as file:
        text = file.read()
    model = re.search(r"model name\s*: (.+)", text)
    guest = " (virtual)" if re.search(r"\bhypervisor\b", text) else ""
    with open("/usr/include/boost/version.hpp") as file:
        boost = re.search(r'BOOST_LIB_VERSION "(\S+)"', file.read())[1].replace("_", ".")
    kernel = re.match(r"[\d.]+", platform.release())[0]
    return [f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}{guest}, Linux {kernel}",
            f"{first_line('g++', '--version')}; C++ with -O2 -DNDEBUG, no LTO", f"Boost {boost}",
            first_line("nginx", "-v").replace("nginx version: ", ""), first_line("wrk", "-v").split(" [")[0]]


def marks_table(marks):
    rows = [[text, f"{value:.2f}", f"{limit:.2f}", "pass" if value <= limit else "FAIL"] for text, value, limit in marks]
    return suites.table(["mark", "measured", "at most", ""], rows)


def section(name, text, marks, options):
    command = f"./dev bench {name}" + ("" if options.rounds == 5 else f" --rounds {options.rounds}")
    out = f"## {name}\n\n{suites.SUITES[name].__doc__} `{command}`, {options.rounds} rounds.\n\n"
    out += "".join(f"- {line}\n" for line in environment()) + "\n"
    if marks:
        out += marks_table(marks) + "\n"
    return out + text.rstrip() + "\n"


def write_results(path, sections):
    """Replaces the sections that were measured, keeps the others."""
    kept = {}
    if os.path.exists(path):
        with open(path) as file:
            for part in re.split(r"^(?=## )", file.read(), flags=re.M)[1:]:
                kept[re.match(r"## (\w+)", part)[1]] = part.rstrip() + "\n"
    kept.update(sections)
    ordered = [kept[name] for name in suites.SUITES if name in kept]
    with open(path, "w") as file:
        file.write(HEAD + "\n" + "\n".join(ordered))


def main():
    source = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(suites.SUITES) + "; all by default")
    parser.add_argument("--bin", default=os.path.join(source, "../build/release/bin"), help="where the programs are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of load, a run")
    parser.add_argument("--quick", action="store_true", help="one short round of the least")
    parser.add_argument("--out", default=os.path.join(source, "RESULTS.md"))
    options = parser.parse_args()
    options.source = source
    unknown = [name for name in options.names if name not in suites.SUITES]
    if unknown:
        parser.error(f"'{unknown[0]}' is none of {', '.join(suites.SUITES)}")
    if options.quick:
        options.rounds, options.seconds = 1, 0.3

    began, sections, all_marks = time.monotonic(), {}, []
    for name in options.names or suites.SUITES:
        text, marks = suites.SUITES[name](options)
        sections[name] = section(name, text, marks, options)
        all_marks += marks
        print(sections[name], flush=True)
    if not options.quick:
        write_results(options.out, sections)
    failed = sum(value > limit for _, value, limit in all_marks)
    print(f"## marks\n\n{marks_table(all_marks)}\n{len(all_marks) - failed} of {len(all_marks)} marks met, "
          f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `./dev check` runs: one line for each finding, exit 1 if there is any. Writes nothing into the tree.

    check.py              everything
    check.py --no-lint    all but the g++ 12 lint, which needs clang-query-19 and a minute
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # this script writes nothing, no cache either
import docs  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MOST_LINES = 800

# An include points to its own layer or to one before it.
LAYERS = ["base", "loop", "task", "inspect", "exec", "io", "twisted", "testing", "http", "html", "crawl"]
# Public headers of the layers; those that are not named here belong to `task`, folders to themselves.
PUBLIC = {
    "base": ["addresses", "charset", "clock", "exceptions", "detail/cancelled", "detail/frame_pool", "detail/list",
             "detail/pack_fields", "pack"],
    "loop": ["backends", "faults", "metrics", "select", "selectors"],
    "exec": ["concurrent", "cores", "mp", "mp/connection", "mp/pool", "mp/process", "mp/queue", "processes", "remote", "threads",
             "detail/blocking_state", "detail/concurrent_await"],
    "io": ["datagrams", "fs", "fs_watch", "protocols", "sockets", "streams", "subprocess", "subprocess_protocol", "terminal",
           "tls", "transports"],
    "twisted": ["twisted"],
    "testing": ["testing"],
}
# Public headers that declare what every layer uses: the names of tasks, futures, the loop itself.
CORE = ["await", "callback", "descriptor_wait", "future_await", "result_slot", "task_core"]


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    return [ROOT / name for name in sorted(set(listed.stdout.splitlines())) if (ROOT / name).is_file()]


def name_of(path):
    return str(path.relative_to(ROOT))


def layer_of_header(header):
    """The layer of `eddy/http/url.hpp` or of `loop/loop.hpp`; None: below all, or not ours."""
    name = header.removesuffix(".hpp")
    if not name.startswith("eddy/"):
        folder = name.split("/")[0]
        return folder if folder in LAYERS else None
    name = name.removeprefix("eddy/")
    folder = name.split("/")[0]
    if folder in ("http", "html", "crawl", "twisted") and "/" in name:
        return folder
    for layer, names in PUBLIC.items():
        if name in names:
            return layer
    if name == "eddy":
        return "io"
    # What the loop is made of is declared in the headers of tasks: its own layer may see them.
    return "loop" if name in ("events", "futures", "tasks", "coro", "runners") or name.split("/")[-1] in CORE else "task"


def check_layers():
    for path in tracked("src/*.cpp", "src/*.hpp"):
        layer = path.relative_to(ROOT / "src").parts[0]
        if layer not in LAYERS:
            yield f"{name_of(path)}: src/{layer} is no layer; layers are {', '.join(LAYERS)}"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            target = layer_of_header(match[1]) if match else None
            if target and LAYERS.index(target) > LAYERS.index(layer):
                yield f"{name_of(path)}:{number}: layer {layer} must not include '{match[1]}' of layer {target} above it"


def check_lengths():
    for path in tracked("*.cpp", "*.hpp", "*.py", "*.cmake"):
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES:
            yield f"{name_of(path)}: {lines} lines; a file has at most {MOST_LINES}"


def check_marks():
    marks = re.compile(r"\b(" + "TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    places = re.compile(r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me)/")
    for path in tracked("*.cpp", "*.hpp", "*.py", "*.cmake", "*.txt", "*.md", "dev", "*.in", "*.json"):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if marks.search(line):
                yield f"{name_of(path)}:{number}: left-over mark: {line.strip()[:60]}"
            if places.search(line):
                yield f"{name_of(path)}:{number}: a path of a build machine: {line.strip()[:60]}"


def check_links():
    link = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
    for path in tracked("*.md"):
        in_code = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.lstrip().startswith("```"):
                in_code = not in_code
            if in_code:
                continue
            for target in link.findall(re.sub(r"`[^`]*`", "", line)):
                target = target.split("#")[0]
                if not target or re.match(r"[a-z]+:", target):
                    continue
                if not (path.parent / target).exists():
                    yield f"{name_of(path)}:{number}: link to '{target}', which does not exist"


def check_file_sets():
    listed = "\n".join(path.read_text() for path in tracked("src/CMakeLists.txt", "src/*/CMakeLists.txt"))
    for path in tracked("include/*.hpp"):
        name = path.relative_to(ROOT / "include" / "eddy")
        if not re.search(rf"/{re.escape(path.name)}\b", listed) or not (
            f"/{name}" in listed or re.search(rf"_include}}/{re.escape(path.name)}\b", listed)
        ):
            yield f"{name_of(path)}: in no FILE_SET: it would not be installed"


def check_first_lines():
    for path in tracked("*.cpp", "*.hpp", "*.py"):
        first = path.read_text().splitlines()[:2]
        if not any("SPDX-License-Identifier: MIT" in line for line in first):
            # The acceptance programs are given as they are.
            if "tests/acceptance/" not in name_of(path):
                yield f"{name_of(path)}: the first line is not the licence: // SPDX-License-Identifier: MIT"


def check_public_includes():
    allowed = {"include/eddy/http/json.hpp": ("boost/json",)}
    for path in tracked("include/*.hpp"):
        text = path.read_text()
        for number, line in enumerate(text.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            name = match[2]
            if name.startswith("eddy/") or (match[1] == "<" and "/" not in name and not name.endswith(".h")):
                continue
            part_of_libstdcxx = name.startswith("bits/") and f"__has_include(<{name}>)" in text
            if part_of_libstdcxx or name.startswith(allowed.get(name_of(path), ("\0",))):
                continue
            yield f"{name_of(path)}:{number}: a public header includes '{name}', which is neither std nor eddy"


def check_documents():
    for path in docs.pages():
        try:
            if docs.updated(path.read_text()) != path.read_text():
                yield f"{name_of(path)}: a snippet is stale; ./dev docs updates it"
        except docs.SnippetError as error:
            yield f"{name_of(path)}: {error}"


def check_patches():
    """A patch that a bench applies is kept up with the code that it changes."""
    for path in tracked("bench/*.patch"):
        done = subprocess.run(["git", "apply", "--check", str(path)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            yield f"{name_of(path)}: does not apply: {done.stderr.splitlines()[0]}"


# --- the g++ 12 lint ------------------------------------------------------------------------------------

RULES = {
    "R1": "a condition awaits in a body without any declaration: await into a local first",
    "R2": "a closure that owns something stands in an expression with co_await: name it first",
    "R4": "an owning aggregate stands in an expression with co_await: await into locals, then build it",
    "R6": "?: of owning values around co_await: use if",
    "R7": "throw of an object made of what is awaited: await into a local first",
    "R10": "co_await behind &&, || or in ?: where g++ 12 awaits it regardless: await into a local first",
}


STATEMENT = r"(?:LOOP|FUT|TASK|WAIT|SCOPE|SYNC|IO|STREAM|TLS|SYS)"


def check_semantics():
    """Each statement of docs/semantics.md has a test that bears its number, and the other way round."""
    page = (ROOT / "docs/semantics.md").read_text()
    stated = {f"{kind}_{number}" for kind, number in re.findall(rf"\*\*({STATEMENT})-(\d+)\*\*", page)}
    shown = set()
    for path in tracked("tests/**/*.cpp"):
        for ids in re.findall(rf"TEST(?:_F|_P)?\(\w+,\s*((?:{STATEMENT}_\d+_)+)", path.read_text()):
            shown |= set(re.findall(rf"{STATEMENT}_\d+", ids))
    for name in sorted(stated - shown):
        yield f"docs/semantics.md: {name.replace('_', '-')} has no test whose name begins with {name}_"
    for name in sorted(shown - stated):
        yield f"tests: {name}_… shows a statement that docs/semantics.md does not have"


def query(path, arguments):
    command = ["clang-query-19", "-f", str(HERE / "gcc12.query"), str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    output = done.stdout + done.stderr
    found = set(re.findall(r'^(\S+?):(\d+):\d+: note: "(R\d+)" binds here', output, re.M))
    broken = re.findall(r"(?:error|Error)[^\n]*", output)
    return found, [] if found else broken


def check_selftest():
    path = HERE / "gcc12_selftest.cpp"
    wanted = {(number, match[1]) for number, line in enumerate(path.read_text().splitlines(), 1)
              if (match := re.search(r"// finds (R\d+)", line))}
    found, broken = query(path, ["--", "-std=c++20", f"-I{ROOT / 'include'}", "-w"])
    got = {(int(number), rule) for _, number, rule in found}
    for number, rule in sorted(wanted - got):
        yield f"{name_of(path)}:{number}: the lint does not find {rule} any more {' '.join(broken)[:80]}"
    for number, rule in sorted(got - wanted):
        yield f"{name_of(path)}:{number}: the lint finds {rule} where nothing is wrong"


def check_coroutines():
    if not shutil.which("clang-query-19"):
        yield "clang-query-19 is missing (package clang-tools-19): the g++ 12 lint cannot run; --no-lint leaves it out"
        return
    yield from check_selftest()
    with tempfile.TemporaryDirectory() as build:
        configured = subprocess.run(["cmake", "-S", str(ROOT), "-B", build, "-G", "Ninja",
                                     "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DCMAKE_CXX_COMPILER_LAUNCHER="],
                                    capture_output=True, text=True)
        database = Path(build) / "compile_commands.json"
        if configured.returncode != 0 or not database.exists():
            yield "cmake cannot configure the tree: " + configured.stderr.strip().split("\n")[0]
            return
        folders = tuple(str(ROOT / folder) + os.sep for folder in ("src", "examples", "apps", "tests"))
        paths = sorted({entry["file"] for entry in json.loads(database.read_text()) if entry["file"].startswith(folders)})
        paths = [path for path in paths if "co_await" in Path(path).read_text()]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda path: query(path, ["-p", build, "--extra-arg=-w"]), paths))
    findings = set()
    for path, (found, broken) in zip(paths, results):
        if broken:
            yield f"{name_of(Path(path))}: the lint cannot read it: {broken[0][:90]}"
        findings |= {entry for entry in found if entry[0].startswith(str(ROOT))}
    for path, number, rule in sorted(findings):
        yield f"{name_of(Path(path))}:{number}: {rule}: {RULES[rule]}"


def main(arguments):
    checks = [check_layers, check_lengths, check_marks, check_links, check_file_sets, check_first_lines,
              check_public_includes, check_documents, check_semantics, check_patches]
    if "--no-lint" not in arguments:
        checks.append(check_coroutines)
    findings = 0
    for check in checks:
        for finding in check():
            print(finding, flush=True)
            findings += 1
    print(f"{findings} finding{'' if findings == 1 else 's'}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

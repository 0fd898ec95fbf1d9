#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random programs on asyncio and on eddy: their traces must be equal.

    run.py --eddy build/release/bin/oracle_interpreter --programs 100000
    run.py --eddy build/release/bin/oracle_interpreter programs/*.json

What differs is shrunk to a minimal program and printed with both traces. Exit 1 if anything differs.
"""
import argparse
import concurrent.futures
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import generate  # noqa: E402
import shrink  # noqa: E402

HERE = Path(__file__).resolve().parent
BATCH = 500
SECONDS = 120  # for a batch: many times what it takes


def traces(command, lines):
    """One trace a line. A program at which the interpreter dies has its end as a trace; if it dies at its own end (of
    a leak, say), the last one has."""
    found = []
    while len(found) < len(lines):
        rest = lines[len(found):]
        try:
            done = subprocess.run(command, input="\n".join(rest) + "\n", capture_output=True, text=True, timeout=SECONDS)
            died, output = done.returncode != 0, done.stdout
            end = f"the interpreter ended with {done.returncode}: {done.stderr[-2000:]}"
        except subprocess.TimeoutExpired as expired:
            end, died, output = "the interpreter hangs", True, (expired.stdout or b"").decode()
        whole = output[:output.rfind("\n") + 1].splitlines()
        found += whole
        if len(whole) < len(rest):
            found.append(end)
        elif died:
            found[-1] = end
    return found


class Pair:
    """Both interpreters."""

    def __init__(self, python, eddy):
        self.asyncio = [python, "-B", str(HERE / "asyncio_interpreter.py")]
        self.eddy = [eddy]

    def run(self, programs):
        """(program, asyncio's trace, eddy's trace) of those that differ."""
        lines = [json.dumps(program, separators=(",", ":")) for program in programs]
        wanted, got = traces(self.asyncio, lines), traces(self.eddy, lines)
        return [(p, a, b) for p, a, b in zip(programs, wanted, got) if a != b]


def show(program, wanted, got):
    print("objects: " + ", ".join(" ".join(map(str, spec)) for spec in program["objs"]))
    for k, body in enumerate(program["procs"]):
        print(f"proc {k}:" if body else f"proc {k}: (nothing)")
        for statement in body:
            print("    " + json.dumps(statement))
    wanted, got = wanted.split("; "), got.split("; ")
    width = max(map(len, ["asyncio", *wanted]))
    print(f"\n  {'asyncio':{width}}   eddy")
    for i in range(max(len(wanted), len(got))):
        left = wanted[i] if i < len(wanted) else ""
        right = got[i] if i < len(got) else ""
        print(f"{' ' if left == right else '*'} {left:{width}}   {right}")
    print("\n" + json.dumps(program, separators=(",", ":")) + "\n", flush=True)


def find_python():
    """Debian's, which `./dev setup` installs; else the one that runs this."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else shutil.which("python3")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="programs, one a line, instead of random ones")
    parser.add_argument("--eddy", required=True, help="the built oracle_interpreter")
    parser.add_argument("--python", default=find_python(), help="a CPython from 3.11 on")
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="of the first program; the next one has the next")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, default=3, help="how many differences to shrink and print")
    parser.add_argument("--no-shrink", action="store_true")
    return parser.parse_args()


def batches(options):
    if options.files:
        yield [json.loads(line) for path in options.files for line in path.read_text().splitlines()]
        return
    for first in range(options.seed, options.seed + options.programs, BATCH):
        count = min(BATCH, options.seed + options.programs - first)
        yield generate.programs(first, count)


def main():
    options = arguments()
    pair = Pair(options.python, options.eddy)
    version = subprocess.run([options.python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
                             capture_output=True, text=True, check=True).stdout.strip()
    started, ran, different = time.monotonic(), 0, []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = []
        for programs in batches(options):
            ran += len(programs)
            waiting.append(pool.submit(pair.run, programs))
            if len(waiting) >= 2 * options.jobs:
                different += waiting.pop(0).result()
        for batch in waiting:
            different += batch.result()
    shown = set()
    for program, wanted, got in sorted(different, key=lambda d: len(json.dumps(d[0])))[:options.show]:
        if not options.no_shrink:
            program, wanted, got = shrink.shrink(program, wanted, got, pair.run)
        if (wanted, got) not in shown:
            show(program, wanted, got)
        shown.add((wanted, got))
    print(f"{ran} programs on CPython {version} and on eddy in {time.monotonic() - started:.0f} s: "
          f"{len(different)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

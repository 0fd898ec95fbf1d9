#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Six bugs that asyncio once had, put into a copy of eddy's sources: the tests must find each.

    mutations.py check                 whether every patch still applies
    mutations.py run BUILD_DIRECTORY   builds each in a copy of the tree; exit 1 if no test finds one
"""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATCHES = sorted(HERE.glob("*.patch"))
PROGRAMS = 20000


def apply(tree, patch, *options):
    # Outside of the copy's own directory there may be a repository, of which it is no part.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    return subprocess.run(["git", "apply", *options, str(patch)], cwd=tree, env=environment, capture_output=True, text=True)


def check():
    stale = 0
    for patch in PATCHES:
        done = apply(ROOT, patch, "--check")
        if done.returncode != 0:
            print(f"{patch.name} does not apply any more: {done.stderr.strip()}")
            stale += 1
    print(f"{len(PATCHES)} patches, {stale} stale")
    return 1 if stale or not PATCHES else 0


def copy_tree(tree):
    """Keeps what has not changed, with its time, so that a second run builds little."""
    shutil.copytree(ROOT, tree, dirs_exist_ok=True, copy_function=copy_if_newer,
                    ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))


def copy_if_newer(source, target):
    if not os.path.exists(target) or Path(source).read_bytes() != Path(target).read_bytes():
        shutil.copy(source, target)


def build(tree):
    """None, or what the compiler said."""
    for command in (["cmake", "--preset", "dev"],
                    ["cmake", "--build", "--preset", "dev", "--target", "task_tests", "oracle_interpreter"]):
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        if done.returncode != 0:
            return done.stdout[-3000:] + done.stderr[-3000:]
    return None


def findings(tree):
    """What finds something wrong in the build, by name."""
    found = []
    binaries = tree / "build" / "dev" / "bin"
    try:
        sweeps = subprocess.run([binaries / "task_tests", "--gtest_filter=Sweeps.*", "--gtest_brief=1"],
                                capture_output=True, text=True, timeout=120)
        failed = [line.split("]")[1].split("(")[0].strip() for line in sweeps.stdout.splitlines()
                  if line.startswith("[  FAILED  ] Sweeps.")]
        if sweeps.returncode != 0:
            found += sorted(set(failed)) or [f"Sweeps, which ended with {sweeps.returncode}"]
    except subprocess.TimeoutExpired:
        found.append("Sweeps, which hang")
    oracle = subprocess.run([sys.executable, "-B", str(tree / "tests/oracle/run.py"), "--eddy",
                             str(binaries / "oracle_interpreter"), "--programs", str(PROGRAMS), "--show", "0"],
                            capture_output=True, text=True)
    if oracle.returncode != 0:
        found.append("oracle: " + (oracle.stdout.strip().splitlines() or [oracle.stderr[-500:]])[-1])
    return found


def run(directory):
    tree = Path(directory).resolve() / "tree"
    missed = 0
    for patch in [None, *PATCHES]:
        started = time.monotonic()
        copy_tree(tree)
        if patch and (done := apply(tree, patch)).returncode != 0:
            print(f"{patch.name} does not apply any more: {done.stderr.strip()}")
            return 1
        if said := build(tree):
            print(f"{patch.name if patch else 'the sources as they are'}: does not build\n{said}")
            return 1
        found = findings(tree)
        print(f"{patch.stem if patch else 'the sources as they are'} ({time.monotonic() - started:.0f} s): " +
              ("; ".join(found) if found else "no test fails"), flush=True)
        missed += bool(found) if patch is None else not found
    print(f"{len(PATCHES)} mutations, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[2]) if sys.argv[1:2] == ["run"] else check())

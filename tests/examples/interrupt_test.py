#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ctrl-C ends examples/parallel_make with all that it started: interrupt_test.py PROGRAM"""
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RULES = "all: a b\na:\n\tsleep {0} & sleep {0}; true\nb:\n\tsleep {0}\n"


def sleepers(seconds):
    """Processes, zombies aside, whose command line is `sleep seconds`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if words[:2] == [b"sleep", seconds.encode()] and state != "Z":
            found.append(int(folder.name))
    return found


def wait_for(count, seconds):
    end = time.monotonic() + 20
    while len(sleepers(seconds)) != count:
        if time.monotonic() > end:
            sys.exit(f"{len(sleepers(seconds))} sleepers, expected {count}")
        time.sleep(0.01)


def main():
    seconds = f"{1000 + os.getpid() / 1e7:.7f}"  # a length that nobody else sleeps
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules"
        rules.write_text(RULES.format(seconds))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        make = subprocess.Popen([sys.argv[1], "-j", "3", str(rules)])
        wait_for(3, seconds)
        make.send_signal(signal.SIGINT)
        status = make.wait(20)
        wait_for(0, seconds)
    if status != -signal.SIGINT:
        sys.exit(f"it ended with {status}, expected by SIGINT")


main()

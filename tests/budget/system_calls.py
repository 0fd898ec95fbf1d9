# SPDX-License-Identifier: MIT
"""Which system calls an operation makes, by strace: exactly these, neither more nor others.

    system_calls.py PROGRAM     PROGRAM ITEM COUNT does the operation COUNT times

Both ends of a connection are in the program: what a client does is counted, too. Here one connection is busy; of many that
are ready at once, all share an epoll_wait.
"""
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

COUNT = 640
WARM = 64
# For each operation: how many of each call. A fraction is shared by as many operations.
BUDGET = {
    "yield": {"epoll_wait": 1 / 64},
    "await": {},
    "generator": {},
    "timer": {},
    "echo": {"sendto": 2, "recvfrom": 2, "epoll_wait": 2},
    "datagram": {"sendto": 2, "recvfrom": 2},
    "request": {"sendto": 2, "recvfrom": 2, "epoll_wait": 2},
    "pipelined": {"sendto": 2, "recvfrom": 2, "epoll_wait": 2},
    "connection": {"socket": 1, "setsockopt": 1, "connect": 1, "getsockopt": 1, "accept4": 2, "epoll_ctl": 6, "epoll_wait": 4,
                   "sendto": 2, "recvfrom": 3, "close": 2},
}


def calls(program, item, count):
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as file:
        command = ["strace", "-f", "-c", "-o", file.name, program, item, str(count)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "EDDY_BACKEND": "epoll"})
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
        rows = (line.split() for line in file)
        found = collections.Counter()
        for row in rows:
            if len(row) >= 5 and row[3].isdigit() and row[-1] != "total":
                found[re.sub("epoll_p?wait2?", "epoll_wait", row[-1])] += int(row[3])  # which one is the kernel's age
        return found


def each(program, item):
    few, many = calls(program, item, WARM), calls(program, item, WARM + COUNT)
    more = {name: (number - few[name]) / COUNT for name, number in many.items()}
    return {name: number for name, number in more.items() if number}


def main():
    program = sys.argv[1]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = dict(zip(BUDGET, pool.map(lambda item: each(program, item), BUDGET)))
    show = lambda some: ", ".join(f"{name} {number:g}" for name, number in sorted(some.items())) or "none"
    bad = [item for item, budget in BUDGET.items() if found[item] != budget]
    for item, budget in BUDGET.items():
        print(f"{item:10} {show(found[item])}" + (f"; the budget is: {show(budget)}" if item in bad else ": ok"))
    if bad:
        raise SystemExit(f"not the system calls of {os.path.basename(__file__)}: {', '.join(bad)}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""How many instructions an operation takes, by callgrind: the same on a quiet machine and on a busy one.

    instructions.py PROGRAM     PROGRAM ITEM COUNT does the operation COUNT times

An item fails that is over its budget by more than MARGIN, or as far below: then the budget is lowered, and what was won is
kept.
The numbers are those of Debian 12's g++ with -O2.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

BUDGET = {
    "yield": 108,
    "await": 131,
    "task": 333,
    "gather": 485,
    "queue": 87,
    "lock": 342,
    "future": 506,
    "timer": 306,
    "generator": 59,
    "echo": 2238,
    "request": 5071,
    "pipelined": 37022,
}
MARGIN = 0.05
FEW, MANY = 1_000, 6_000


def instructions(program, item, count):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, item, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "EDDY_BACKEND": "epoll"})
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or not found:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return int(found[1])


def main():
    program = sys.argv[1]

    def cost(item):
        return (instructions(program, item, MANY) - instructions(program, item, FEW)) / (MANY - FEW)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        costs = dict(zip(BUDGET, pool.map(cost, BUDGET)))
    bad = []
    for item, budget in BUDGET.items():
        ratio = costs[item] / budget
        verdict = "ok" if abs(ratio - 1) <= MARGIN else "OVER" if ratio > 1 else "below: lower the budget"
        print(f"{item:10} {costs[item]:8.1f} instructions, budget {budget:5}: {verdict}")
        if verdict != "ok":
            bad.append(item)
    if bad:
        raise SystemExit(f"not within {MARGIN:.0%} of the budget of {os.path.basename(__file__)}: {', '.join(bad)}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""How many instructions an operation takes, by callgrind: the same on a quiet machine and on a busy one.

    instructions.py PROGRAM     PROGRAM ITEM COUNT does the operation COUNT times

An item fails that is over its budget by more than MARGIN, or as far below: then the budget is lowered, and what was won is
kept.
The numbers are those of Debian 12's g++ with -O2.
"""
import re

import measure

BUDGET = {
    "yield": 100,
    "await": 119,
    "task": 289,
    "gather": 424,
    "queue": 68,
    "lock": 328,
    "future": 512,
    "timer": 259,
    "generator": 59,
    "echo": 1998,
    "request": 4250,
    "pipelined": 27346,
}
MARGIN = 0.05


def instructions(command):
    done = measure.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    return {"instructions": int(re.search(r"Collected\s*:\s*(\d+)", done.stderr)[1])}


def verdict(ratio):
    return "ok" if abs(ratio - 1) <= MARGIN else "OVER" if ratio > 1 else "below: lower the budget"


def main():
    found = measure.per_operation(instructions, BUDGET, few=1_000, many=6_000)
    costs = {item: found[item]["instructions"] for item in BUDGET}
    measure.judge((item, f"{costs[item]:8.1f} instructions, budget {budget:5}", verdict(costs[item] / budget))
                  for item, budget in BUDGET.items())


if __name__ == "__main__":
    main()

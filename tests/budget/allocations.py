# SPDX-License-Identifier: MIT
"""How often an operation asks malloc() for memory: exactly as often as this, to a hundredth. (What happens once a second,
as a new Date of responses, is no operation's.)

    allocations.py PROGRAM     PROGRAM ITEM COUNT does the operation COUNT times and says what it allocated
"""
import os
import subprocess
import sys

# Of `gather`, for each hundred: a list of coroutines that grows to 100, of results, and two of gather() itself.
BUDGET = {"yield": 0, "await": 0, "task": 0, "gather": 0.12, "queue": 0, "lock": 0, "future": 0, "timer": 0, "generator": 0,
          "echo": 0, "datagram": 0, "request": 0, "pipelined": 0, "connection": 7}
FEW, MANY = 1_000, 6_000


def allocations(program, item, count):
    done = subprocess.run([program, item, str(count)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def main():
    program = sys.argv[1]
    bad = []
    for item, budget in BUDGET.items():
        found = round((allocations(program, item, MANY) - allocations(program, item, FEW)) / (MANY - FEW), 2)
        print(f"{item:10} {found:g} allocations" + (": ok" if found == budget else f"; the budget is {budget}"))
        if found != budget:
            bad.append(item)
    if bad:
        raise SystemExit(f"not the allocations of {os.path.basename(__file__)}: {', '.join(bad)}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""How often an operation asks malloc() for memory: exactly as often as this, to a hundredth. (What happens once a second,
as a new Date of responses, is no operation's.)

    allocations.py PROGRAM     PROGRAM ITEM COUNT does the operation COUNT times and says what it allocated
"""
import measure

# Of `gather`, for each hundred: a list of coroutines that grows to 100, of results, and two of gather() itself.
BUDGET = {"yield": 0, "await": 0, "task": 0, "gather": 0.12, "queue": 0, "lock": 0, "future": 0, "timer": 0, "generator": 0,
          "echo": 0, "datagram": 0, "request": 0, "pipelined": 0, "connection": 7, "ended_together": 7}


def allocations(command):
    return {"malloc": int(measure.run(command).stdout.split()[0])}


def main():
    found = measure.per_operation(allocations, BUDGET, few=1_000, many=6_000)
    numbers = {item: round(costs.get("malloc", 0), 2) for item, costs in found.items()}
    measure.judge((item, f"{numbers[item]:g} allocations", "ok" if numbers[item] == budget else f"the budget is {budget}")
                  for item, budget in BUDGET.items())


if __name__ == "__main__":
    main()

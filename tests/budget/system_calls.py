# SPDX-License-Identifier: MIT
"""Which system calls an operation makes, by strace: exactly these, neither more nor others.

    system_calls.py PROGRAM     PROGRAM ITEM COUNT does the operation COUNT times

Both ends of a connection are in the program: what a client does is counted, too. Here one connection is busy; of many that
are ready at once, all share an epoll_wait.
"""
import collections
import re
import tempfile

import measure

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


def calls(command):
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as file:
        measure.run(["strace", "-f", "-c", "-o", file.name, *command])
        rows = (line.split() for line in file)
        found = collections.Counter()
        for row in rows:
            if len(row) >= 5 and row[3].isdigit() and row[-1] != "total":
                found[re.sub("epoll_p?wait2?", "epoll_wait", row[-1])] += int(row[3])  # which one is the kernel's age
        return found


def text_of(some):
    return ", ".join(f"{name} {number:g}" for name, number in sorted(some.items())) or "none"


def main():
    found = measure.per_operation(calls, BUDGET, few=64, many=704)  # 640 more: ten polls of 64 steps
    measure.judge((item, text_of(found[item]), "ok" if found[item] == budget else f"the budget is: {text_of(budget)}")
                  for item, budget in BUDGET.items())


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""What the scripts of budgets share: PROGRAM ITEM COUNT does an operation COUNT times. It is run for few and for many, and what
the many took more is the operation's own."""
import concurrent.futures
import os
import subprocess
import sys


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "EDDY_BACKEND": "epoll"})
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def per_operation(count, items, few, many):
    """For each item, how much of each name; `count(program and arguments)` gives a dictionary of names and numbers."""
    program = sys.argv[1]

    def each(item):
        less, more = count([program, item, str(few)]), count([program, item, str(many)])
        found = {name: (number - less.get(name, 0)) / (many - few) for name, number in more.items()}
        return {name: number for name, number in found.items() if number}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(items, pool.map(each, items)))


def judge(rows):
    """Prints (item, what was found, "ok" or what is wrong), and fails if something is."""
    rows = list(rows)
    for item, found, verdict in rows:
        print(f"{item:10} {found}: {verdict}")
    bad = [item for item, _, verdict in rows if verdict != "ok"]
    if bad:
        raise SystemExit(f"not within the budget of {os.path.basename(sys.argv[0])}: {', '.join(bad)}")

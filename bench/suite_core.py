# SPDX-License-Identifier: MIT
"""The suites whose programs print `NAME VALUE` lines: primitives, generators, jobs on threads and in processes."""
import os
import statistics

import installed
from measure import number, output_of, quietest
from summary import figures_table, row

# What each program prints, in the order of the table: (name, words, × limit at most, ahead of every peer).
CORE = [("yield_1", "yield, 1 task", None, False), ("yield_100", "yield, 100 tasks", 1.2, False),
        ("spawn_join", "spawn and join", 2.0, False), ("await_1", "await, depth 1", 1.1, False),
        ("await_10", "await, a level of depth 10", 1.1, False), ("gather_100", "gather of 100, an element", 1.5, False),
        ("timer_arm_cancel", "arm and cancel a timer among 1 M", 1.1, False),
        ("sleep_late_p99_us", "lateness of 10,000 sleeps, p99", 1.5, False),
        ("queue_item", "queue, an item", 1.3, False), ("lock_handoff", "lock handed over between two tasks", 1.5, False),
        ("post", "cross-thread post, one producer", None, True),
        ("post_many", "cross-thread post, 4 producers", None, False),
        ("cancel_throw", "cancel one of 100 k sleeping tasks and await it", 1.1, False),
        ("waiting_task_bytes", "memory of a waiting task with its frame", 1.6, True)]
ITEMS = ["yield", "spawn", "await", "gather", "timer", "sleep", "late", "queue", "lock", "post", "many", "memory"]
SHORT = ["yield", "spawn", "await", "gather", "queue", "lock"]  # they run twice as often, beside the limit
SLOW = {"asyncio": 2, "uvloop": 2}  # in as many of the rounds: they are far behind, and take half of the time
SMOKE = ["yield", "spawn", "await"]


def add_lines(runs, program, text):
    for line in text.splitlines():
        name, value = line.split()
        runs.setdefault(name, {}).setdefault(program, []).append(float(value))


def programs(options, *ours):
    """The words of each program: {column: words}."""
    script = os.path.join(options.source, "peers/micro_asyncio.py")
    binary = lambda name: [os.path.join(options.bin, name)]
    peers = {"Asio": binary("micro_asio"), "tokio": binary("micro_tokio"), "Go": binary("micro_go"),
             "asyncio": [installed.PYTHON, script, "asyncio"], "uvloop": [installed.PYTHON, script, "uvloop"]}
    return {name: binary(program) for name, program in ours}, installed.those_there(peers)


def core(options):
    """The primitives, against the hand-written limit and every peer."""
    own, peers = programs(options, ("limit", "micro_limit"), ("eddy", "micro_eddy"))
    everyone = {**own, **peers}
    runs = {}

    def take(item, commands):
        # A poster and a loop need a core each; everything else runs on one.
        cores = "0,1" if item in ("post", "many") else "0"
        for name, words in commands.items():
            add_lines(runs, name, quietest(lambda: (output_of([*words, item], cores), 0)))
    for turn in range(options.rounds):
        taking_part = {name: words for name, words in everyone.items() if turn < SLOW.get(name, options.rounds)}
        if options.quick and not options.full:
            for item in SMOKE:
                take(item, taking_part)
            continue
        for item in SHORT:
            take(item, own)
        for item in ITEMS:
            take(item, taking_part)
    text = ("Nanoseconds an operation unless the name says otherwise: best of the rounds (median). `limit` is\n"
            "[micro_limit.cpp](micro_limit.cpp), a hand-written loop that can do nothing but these items; the others do the\n"
            "same work through their public interfaces, one thread each. A waiting task of the limit is one bare frame.\n"
            "tokio and Go have no exception to throw at what is cancelled: theirs is `cancel_no_throw`. Go has no\n"
            "await: it calls. uvloop's sleeps may end early, which no other's do. asyncio and uvloop take part in two rounds. Of the\n"
            "million timers, the last of three rounds in a process is told, of two in Python: the memory has been there before.\n"
            "Freeing the handles is in nobody's time but tokio's, whose cancellation it is; with it, eddy's ratio is about 1.2.\n\n")
    text += figures_table(runs, list(everyone))
    rows = [row(words, by["eddy"], by["limit"], {name: by.get(name) for name in peers}, at_most=at_most, ahead=ahead)
            for name, words, at_most, ahead in CORE if (by := runs.get(name))]
    return text, rows


def generators(options):
    """A step of a generator, and of one under levels of delegation."""
    own, peers = programs(options, ("here", "micro_generators"))
    peers = {name: words for name, words in peers.items() if name == "asyncio"}  # generators are Python's, whatever the loop
    runs = {}
    for _ in range(options.rounds):
        add_lines(runs, "here", quietest(lambda: (output_of(own["here"], "0"), 0)))
        for words in peers.values():
            text = quietest(lambda: (output_of([*words, "generator"], "0"), 0))
            add_lines(runs, "Python", text)
    text = ("Nanoseconds an operation ([micro_generators.cpp](micro_generators.cpp)). `delegated_next_N`: a step of a generator\n"
            "under N levels of `co_yield from(…)`; `recursive_resume_N`: the same levels, each resuming the next;\n"
            "`bare_delegated_10`: levels that can do nothing but delegate.\n\n")
    text += figures_table(runs, ["here", "Python"])
    here = {name: by["here"] for name, by in runs.items() if "here" in by}
    python = lambda name: {"Python": runs.get(name, {}).get("Python")}
    rows = [row("generator, a step", here["generator_next"], here["bare_generator"], python("generator_next"),
                "a bare coroutine", at_most=3.0),
            row("generator, a step under 10 levels", here["delegated_next_10"], here["bare_delegated_10"],
                python("generator_depth_10"), "bare delegation"),
            row("generator, a step under 1000 levels", here["delegated_next_1000"], here["delegated_next_1"],
                limit_name="1 level", at_most=1.5)]
    return text, rows


def workers(options):
    """Jobs on threads, in processes and on other cores, context variables, split work."""
    own, peers = programs(options, ("eddy", "micro_workers"))
    peers.pop("Asio", None)
    peers.pop("Go", None)
    runs = {}
    for _ in range(options.rounds):
        for item in ("thread", "process", "context", "cores", "speed_up"):
            cores = "0" if item == "context" else "0,1"
            for name, words in {**own, **(peers if item in ("thread", "process") else {})}.items():
                add_lines(runs, name, output_of([*words, item], cores))
    speed_up, loops = (runs.pop(name)["eddy"] for name in ("pool_speed_up_percent", "loops_speed_up_percent"))
    text = ("Nanoseconds an operation ([micro_workers.cpp](micro_workers.cpp)): a job there and back, one at a time, on a thread\n"
            "and in a process, also with a string of 1 MiB each way; `submit_and_result`: 200,000 jobs to one thread, then their\n"
            "results; `spawn_with_context`: a task made and awaited by one that has a context.\n\n")
    text += figures_table(runs, ["eddy", *peers])
    text += (f"\nWork split among a pool of {os.cpu_count()} threads is {max(speed_up) / 100:.2f} times as fast as on one "
             f"(median {number(statistics.median(speed_up) / 100)}). Tasks that work and yield, on a loop a core instead of one: "
             f"{max(loops) / 100:.2f} times as fast (median {number(statistics.median(loops) / 100)}).\n")
    rows = [row(words, runs[name]["eddy"], peers={peer: runs[name].get(peer) for peer in peers})
            for name, words in (("to_thread", "a job on a thread, there and back"),
                                ("process_job", "a job in a process, there and back"))]
    return text, rows

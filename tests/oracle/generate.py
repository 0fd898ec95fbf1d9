#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random programs of the oracle's language, one JSON array of lines: generate.py FIRST_SEED COUNT

A program has objects, and procedures of which number 0 is the main one. What keeps programs finite and free of
cycles: procedure k starts, calls and awaits only procedures and slots above k, and slot k holds a task of procedure
k or of something without a procedure; loops are short. docs/oracle.md has the language.
"""
import json
import random
import sys

OBJECTS = {
    "lock": lambda g: ["lock"],
    "sem": lambda g: [g.pick(["sem", "bsem"]), g.below(3)],
    "cond": lambda g: ["cond"],
    "event": lambda g: ["event"],
    "queue": lambda g: [g.pick(["queue", "queue", "lifo", "prio"]), g.below(3)],
    "barrier": lambda g: ["barrier", 1 + g.below(3)],
    "future": lambda g: ["future"],
}
# A program uses a few of these, so that they meet each other often.
THEMES = [*OBJECTS, "shield", "gather", "wait", "wait_for", "timeout", "group", "as_completed", "callback", "errors"]


class Generator:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    # Only random() is used: its numbers are the same in every version of Python.
    def below(self, n):
        return int(self.rng.random() * n)

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def chance(self, p):
        return self.rng.random() < p

    def program(self):
        themes = {self.pick(THEMES) for _ in range(1 + self.below(4))}
        self.themes = themes
        self.objects = [["event"]] if self.chance(0.2) else []
        for kind, make in OBJECTS.items():
            if kind in themes:
                self.objects += [make(self) for _ in range(1 + self.chance(0.3))]
        self.objects = self.objects or [["future"]]
        self.favourite = None  # what many of its tasks wait for, so that they meet there
        self.procs = 2 + self.below(4)
        bodies = [self.body(k, 0, 1 + self.below(6), ()) for k in range(self.procs)]
        spawns = [["spawn", k, ["proc", k]] for k in range(1, self.procs) if self.chance(0.85)]
        bodies[0] = spawns + bodies[0]
        return {"objs": self.objects, "procs": bodies}

    def body(self, k, depth, length, scopes):
        statements = []
        for _ in range(length):
            statements.append(self.statement(k, depth, scopes))
            if self.is_a_gift(statements[-1]) and self.chance(0.3):
                # Whoever was woken for it is perhaps cancelled before it runs.
                statements.append(["cancel", self.any_slot(), None])
        return statements

    def is_a_gift(self, statement):
        while statement[0] == "try" and statement[1]:
            statement = statement[1][0]
        return statement[0] in ("release", "set", "notify", "put_nowait", "get_nowait", "fset", "task_done")

    def of(self, *kinds):
        return [i for i, o in enumerate(self.objects) if o[0] in kinds]

    def delay(self):
        return self.pick([0, 0, 1, 1, 2, 3, 5])

    def later_slot(self, k):
        return k + 1 + self.below(self.procs - k - 1) if k + 1 < self.procs else None

    def any_slot(self):
        return self.below(self.procs)

    # --- what can be awaited ---

    def leaf(self, k):
        if self.favourite and self.chance(0.3):
            return self.favourite
        chosen = self.any_leaf(k)
        if chosen[0] not in ("sleep", "task", "proc"):
            self.favourite = self.favourite or chosen
        return chosen

    def any_leaf(self, k):
        options = [["sleep", self.delay()]] * 3
        for i in self.of("lock", "sem", "bsem"):
            options += [["acquire", i]] * 2
        options += [["event", i] for i in self.of("event")] * 3
        for i in self.of("queue", "lifo", "prio"):
            options += [["get", i]] * 3 + [["put", i, self.pick("abc")]] * 3 + [["join", i]]
        for i in self.of("barrier"):
            options += [["barrier", i]] * 3 + [self.pick([["breset", i], ["babort", i]])]
        options += [["fut", i] for i in self.of("future")] * 3
        slot = self.later_slot(k)
        if slot is not None:
            options += [["task", slot]] * 3 + [["proc", slot]]
        return self.pick(options)

    def awaitable(self, k, depth):
        if depth >= 3:
            return self.leaf(k)
        options = ["leaf"] * 4
        options += [t for t in ("shield", "gather", "wait_for") if t in self.themes] * 4
        kind = self.pick(options)
        if kind == "leaf":
            return self.leaf(k)
        if kind == "gather":
            children = [self.awaitable(k, depth + 2) for _ in range(1 + self.below(3))]
            # eddy's gather() takes two of any kinds, or a vector of one: futures are not mixed with others there.
            if len(children) > 2 and any(c[0] != "fut" for c in children):
                children = [["sleep", 0] if c[0] == "fut" else c for c in children]
            return ["gather", self.chance(0.4), children]
        inner = self.awaitable(k, depth + 1)
        return ["shield", inner] if kind == "shield" else ["wait_for", self.delay(), inner]

    # --- statements ---

    def sync(self, k):
        options = [["cancel", self.any_slot(), self.pick([None, None, "!m", "!n"])]] * 2
        options += [["inspect", self.any_slot()]]
        options += [["release", i] for i in self.of("lock", "sem", "bsem")] * 2
        options += [[self.pick(["set", "set", "clear"]), i] for i in self.of("event")] * 3
        options += [["notify", i, self.below(3)] for i in self.of("cond")]
        for i in self.of("queue", "lifo", "prio"):
            options += [["put_nowait", i, self.pick("abc")]] * 4 + [["get_nowait", i]] * 2 + [["task_done", i]] * 3
            options += [["shutdown", i, self.chance(0.5)]]
        for i in self.of("future"):
            options += [["fset", i, self.pick("xyz")]] * 2
            options += [["ferr", i, "!f"], ["fcancel", i, self.pick([None, "!c"])], ["finspect", i]]
        return self.pick(options)

    def statement(self, k, depth, scopes):
        options = ["await"] * 8 + ["sync"] * 6 + ["spawn"] * 2
        if depth < 3:
            options += ["try"] * 3 + ["loop"]
            options += ["with"] * 4 if self.of("lock", "sem", "bsem") else []
            options += ["with"] * 6 if self.of("cond") else []
            options += [t for t in ("timeout", "group") if t in self.themes] * 4
        options += [t for t in ("wait", "as_completed", "callback") if t in self.themes] * 3
        options += ["raise"] * (2 if "errors" in self.themes or "group" in self.themes else 0)
        options += ["return", "self"]
        options += ["gspawn"] * 5 if "group" in scopes else []
        options += ["reschedule", "reschedule", "expired"] if "timeout" in scopes else []
        options += ["reraise"] * 3 if "handler" in scopes else []
        options += ["cwait"] * 5 if "cond" in scopes else []
        return getattr(self, "make_" + self.pick(options))(k, depth, scopes)

    def make_await(self, k, depth, scopes):
        return ["await", self.awaitable(k, 0)]

    def make_cwait(self, k, depth, scopes):
        return ["await", ["cwait", self.pick(self.of("cond"))]]

    def make_sync(self, k, depth, scopes):
        statement = self.sync(k)
        # Most of them may throw, which would end most programs early.
        if statement[0] in ("cancel", "inspect", "set", "clear") or self.chance(0.3):
            return statement
        return ["try", [statement], [["Exception", []]], []]

    def make_self(self, k, depth, scopes):
        return self.pick([["cancel", -1, None], ["uncancel", -1], ["uncancel", -1], ["cancelling", -1]])

    def make_spawn(self, k, depth, scopes, op="spawn"):
        slot = self.later_slot(k)
        if slot is None:
            return ["await", ["sleep", self.delay()]]
        return [op, slot, ["proc", slot] if self.chance(0.7) else self.awaitable(slot, 1)]

    def make_gspawn(self, k, depth, scopes):
        return self.make_spawn(k, depth, scopes, "gspawn")

    def make_loop(self, k, depth, scopes):
        return ["loop", 2, self.body(k, depth + 1, 1 + self.below(2), scopes)]

    def make_with(self, k, depth, scopes):
        i = self.pick(self.of("lock", "sem", "bsem", "cond"))
        if self.objects[i][0] != "cond":
            return ["with", i, self.body(k, depth + 1, 1 + self.below(3), scopes)]
        body = self.body(k, depth + 1, self.below(3), (*scopes, "cond"))
        inner = self.pick([["await", ["cwait", i]], ["await", ["cwait", i]], ["notify", i, self.below(3)]])
        if "wait_for" in self.themes and inner[0] == "await" and self.chance(0.3):
            inner = ["await", ["wait_for", self.delay(), ["cwait", i]]]
        body.insert(self.below(len(body) + 1), inner)
        return ["with", i, body]

    def make_timeout(self, k, depth, scopes):
        delay = None if self.chance(0.1) else self.delay()
        return ["timeout", delay, self.body(k, depth + 1, 1 + self.below(3), (*scopes, "timeout"))]

    def make_group(self, k, depth, scopes):
        return ["group", self.body(k, depth + 1, 1 + self.below(4), (*scopes, "group"))]

    def make_try(self, k, depth, scopes):
        kinds = [kind for kind in ("ValueError", "CancelledError", "TimeoutError", "Group", "Exception") if self.chance(0.35)]
        handlers = [[kind, self.body(k, depth + 1, self.below(3), (*scopes, "handler"))] for kind in kinds]
        final = self.body(k, depth + 1, 1 + self.below(2), scopes) if self.chance(0.4) else []
        return ["try", self.body(k, depth + 1, 1 + self.below(3), scopes), handlers, final]

    def make_wait(self, k, depth, scopes):
        timeout = self.pick([None, self.delay()])
        return ["wait", self.pick(["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"]), timeout, self.later_slots(k)]

    def make_as_completed(self, k, depth, scopes):
        return ["as_completed", self.pick([None, self.delay()]), self.later_slots(k)]

    def later_slots(self, k):
        return [s for s in range(k + 1, self.procs) if self.chance(0.7)]

    def make_callback(self, k, depth, scopes):
        label = "c%d" % self.below(3)
        kind = self.below(5)
        if kind == 0:
            return ["soon", label, self.sync(k)]
        if kind in (1, 2):
            return ["later", self.delay(), label, self.sync(k)]
        if kind == 3:
            return ["drop", label]
        futures = self.of("future")
        if futures and self.chance(0.5):
            return ["fon_done", self.pick(futures), label]
        return ["on_done", self.any_slot(), label]

    def make_raise(self, k, depth, scopes):
        return ["raise", self.pick(["!a", "!b"])]

    def make_return(self, k, depth, scopes):
        return ["return", self.pick("rs")] if self.chance(0.3) else ["await", ["sleep", self.delay()]]

    def make_reschedule(self, k, depth, scopes):
        return ["reschedule", self.pick([None, self.delay(), self.delay()])]

    def make_expired(self, k, depth, scopes):
        return ["expired"]

    def make_reraise(self, k, depth, scopes):
        return ["reraise"]


def programs(first, count):
    return [Generator(seed).program() for seed in range(first, first + count)]


if __name__ == "__main__":
    for made in programs(int(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(made, separators=(",", ":")))

# SPDX-License-Identifier: MIT
"""Delta debugging over a program's tree: the smallest program found of which the traces still differ."""
import copy
import json


def blocks_of(statement):
    """The lists of statements inside of one."""
    op = statement[0]
    if op in ("loop", "with", "timeout"):
        return [statement[2]]
    if op == "group":
        return [statement[1]]
    if op == "try":
        return [statement[1], *[handler[1] for handler in statement[2]], statement[3]]
    return []


def all_blocks(program):
    waiting = list(program["procs"])
    while waiting:
        block = waiting.pop()
        yield block
        for statement in block:
            waiting += blocks_of(statement)


def awaitables_of(statement):
    """(list, index) of the awaitables in a statement, outer ones first."""
    places = []
    if statement[0] == "await":
        places.append((statement, 1))
    elif statement[0] in ("spawn", "gspawn"):
        places.append((statement, 2))
    for holder, index in places:
        a = holder[index]
        if a[0] == "shield":
            places.append((a, 1))
        elif a[0] == "wait_for":
            places.append((a, 2))
        elif a[0] == "gather":
            places += [(a[2], i) for i in range(len(a[2]))]
    return places


def edits(program):
    """Functions that make a copy of the program smaller in one place, the large cuts first."""
    for k, body in enumerate(program["procs"]):
        if body:
            yield lambda p, k=k: p["procs"][k].clear()
    blocks = list(all_blocks(program))
    for size in (8, 4, 2, 1):
        for b, block in enumerate(blocks):
            for start in range(0, len(block) - size + 1, size):
                yield lambda p, b=b, s=start, n=size: list(all_blocks(p))[b].__delitem__(slice(s, s + n))
    for b, block in enumerate(blocks):
        for i, statement in enumerate(block):
            if blocks_of(statement):  # a scope gives way to what is in it
                yield lambda p, b=b, i=i: unwrap(list(all_blocks(p))[b], i)
            if statement[0] == "try":
                for h in range(len(statement[2])):
                    yield lambda p, b=b, i=i, h=h: list(all_blocks(p))[b][i][2].pop(h)
            if statement[0] == "loop" and statement[1] > 1:
                yield lambda p, b=b, i=i: list(all_blocks(p))[b][i].__setitem__(1, 1)
            for n, (holder, index) in enumerate(awaitables_of(statement)):
                yield from awaitable_edits(b, i, n, holder[index])


def awaitable_edits(b, i, n, a):
    def put(p, make):
        holder, index = awaitables_of(list(all_blocks(p))[b][i])[n]
        holder[index] = make(holder[index])

    if a != ["sleep", 0]:
        yield lambda p: put(p, lambda old: ["sleep", 0])
    if a[0] == "shield":
        yield lambda p: put(p, lambda old: old[1])
    elif a[0] == "wait_for":
        yield lambda p: put(p, lambda old: old[2])
    elif a[0] == "gather":
        for child in range(len(a[2])):
            yield lambda p, c=child: put(p, lambda old: old[2][c])
            if len(a[2]) > 1:
                yield lambda p, c=child: put(p, lambda old: [*old[:2], old[2][:c] + old[2][c + 1:]])
    elif a[0] == "sleep" and a[1] > 1:
        yield lambda p: put(p, lambda old: ["sleep", 1])


def unwrap(block, i):
    block[i:i + 1] = [inner for part in blocks_of(block[i]) for inner in part]


def is_well_formed(program):
    """Whether what needs a scope around it still has one."""
    def check(block, scopes):
        for statement in block:
            need = {"gspawn": "group", "reschedule": "timeout", "expired": "timeout", "reraise": "handler"}.get(statement[0])
            if need and need not in scopes:
                return False
            if statement[0] == "try":
                if not (check(statement[1], scopes) and check(statement[3], scopes)):
                    return False
                if not all(check(body, scopes | {"handler"}) for _, body in statement[2]):
                    return False
            elif not all(check(inner, scopes | {statement[0]}) for inner in blocks_of(statement)):
                return False
        return True

    return all(check(body, frozenset()) for body in program["procs"])


def shrink(program, wanted, got, run):
    """`run(programs)` gives (program, trace, trace) of those that differ, in their order."""
    best = (program, wanted, got)
    for _ in range(200):
        candidates = []
        for edit in edits(best[0]):
            made = copy.deepcopy(best[0])
            edit(made)
            if is_well_formed(made):
                candidates.append(made)
        found = run(candidates)
        if not found:
            break
        best = min(found, key=lambda d: len(json.dumps(d[0])))
    return best

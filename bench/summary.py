# SPDX-License-Identifier: MIT
"""A workload's figures and its mark, and the table of all of them.

A row is a dict that JSON can hold:

    workload   "yield, 100 tasks"
    best       {"limit": 3.9, "eddy": 5.4, "tokio": 28.0, …}: the least of all rounds; less is better
    median     the median of the rounds' eddy / limit, or null
    spread     of eddy's rounds: (greatest - least) / median
    limit      what the limit is: "raw epoll", or null
    mark       in words; "" if there is none
    passed     true, false, or null
    without    peers that the mark names but that are not installed
"""
import statistics

from measure import number, spread, table


def row(workload, eddy, limit=None, peers=None, limit_name="the limit", at_most=None, below=None, ahead=False,
        but=(), less_than=None):
    """`eddy`, `limit` and each of `peers` are what the rounds gave. The mark has up to four parts: `at_most` times the
    limit, not above `below`, which is (number, unit), `ahead` of every peer `but` some, and `less_than` {peer: factor}."""
    peers = {name: values for name, values in (peers or {}).items() if values}
    best = {"eddy": min(eddy), **{name: min(values) for name, values in peers.items()}}
    words, held, absent = [], [], []
    if limit:
        best["limit"] = min(limit)
    if at_most is not None:
        words.append(f"≤ {at_most:g} × {limit_name}")
        held.append(best["eddy"] <= at_most * best["limit"])
    if below:
        words.append(f"≤ {below[0]:g} {below[1]}")
        held.append(best["eddy"] <= below[0])
    if ahead:
        words.append(" but ".join(["ahead of all", *but]))
        held += [best["eddy"] < best[name] for name in peers if name not in but]
    for name, factor in (less_than or {}).items():
        words.append(f"≥ {factor:g} × less than {name}" if factor != 1 else f"ahead of {name}")
        if name in best:
            held.append(best["eddy"] * factor <= best[name])
        else:
            absent.append(name)
    pairs = statistics.median(a / b for a, b in zip(eddy, limit)) if limit else None
    return {"workload": workload, "best": best, "median": pairs, "spread": spread(eddy),
            "limit": limit_name if limit else None, "mark": ", ".join(words), "passed": all(held) if held else None,
            "without": absent}


def ratio_row(text, value, at_most):
    """A mark that is one ratio: its text says of what."""
    return {"workload": text, "best": {"eddy": value, "limit": 1.0}, "median": None, "spread": None, "limit": None,
            "mark": f"≤ {at_most:g}", "passed": value <= at_most, "without": []}


def best_peer(figures):
    """(name, value) of the least of the peers, or None."""
    peers = {name: value for name, value in figures["best"].items() if name not in ("eddy", "limit")}
    return min(peers.items(), key=lambda item: item[1]) if peers else None


def cells(figures):
    best, peer = figures["best"], best_peer(figures)
    to_limit, median, spread_cell = "-", "-", "-"
    if "limit" in best:
        to_limit = f"{best['eddy'] / best['limit']:.2f}"
    if figures["median"] is not None:
        median = f"{figures['median']:.2f}"
    if figures["spread"] is not None:
        spread_cell = f"{figures['spread']:.0%}"
    to_peer = f"{best['eddy'] / peer[1]:.2f} ({peer[0]})" if peer else "-"
    verdict = {True: "pass", False: "**FAIL**", None: ""}[figures["passed"]]
    if figures["without"]:
        verdict += f" (no {', '.join(figures['without'])})"
    return [figures["workload"], to_limit, median, spread_cell, to_peer, figures["mark"] or "-", verdict]


def summary_table(rows):
    return table(["workload", "eddy / limit, bests", "median of rounds", "spread", "eddy / best peer", "mark", ""],
                 [cells(figures) for figures in rows])


def verdicts(rows):
    marked = [figures for figures in rows if figures["passed"] is not None]
    return f"{sum(figures['passed'] for figures in marked)} of {len(marked)} marks met"


def figures_table(rows_by_name, columns, unit_of_item="item"):
    """The figures themselves: rows of (name, {column: values}), as "best (median)"."""
    rows = []
    for name, by_column in rows_by_name.items():
        line = [f"`{name}`"]
        for column in columns:
            values = by_column.get(column)
            line.append(f"{number(min(values))} ({number(statistics.median(values))})" if values else "-")
        rows.append(line)
    return table([unit_of_item, *columns], rows)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the peers side by side, prints the summary and the tables, and writes them to bench/RESULTS.md.

    ./dev bench                    everything, some twenty minutes; draws docs/performance.svg, too
    ./dev bench core echo          some of it; the other sections of RESULTS.md stay as they are
    ./dev bench --full             more settings of TCP echo
    ./dev bench --quick            a smoke run: one short round, nothing is written
"""
import argparse
import copy
import json
import os
import re
import resource
import sys
import time

import installed
import plot
import suite_books
import suite_core
import suite_crawl
import suite_network
import suite_programs
import suites
from summary import ratio_row, summary_table, verdicts

SUITES = {"core": suite_core.core, "generators": suite_core.generators, "workers": suite_core.workers,
          "echo": suite_network.echo, "http": suite_network.http, "client": suite_network.client, "crawl": suite_crawl.crawl,
          "compile": suite_programs.compile_times, "start": suite_programs.start, "books": suite_books.books,
          **suites.SUITES}
# Those that the marks of the summary need take all rounds; in a run of everything the others take this many.
MARKED = {"core", "echo", "http", "client", "crawl", "compile"}
ROUNDS_BESIDE = 2

HEAD = """# Measurements

Made by `./dev bench`; how to read and repeat them: [docs/performance.md](../docs/performance.md). Read the ratios: absolute
numbers belong to one machine on one day, and other programs ran beside them.

"""


def section(name, result, options):
    return (f"## {name}\n\n{SUITES[name].__doc__} `./dev bench {name}`, {options.rounds} rounds.\n\n"
            + "".join(f"- {line}\n" for line in installed.versions()) + "\n"
            + (summary_table(result["rows"]) + "\n" if result["rows"] else "") + result["text"].rstrip() + "\n")


def measure(name, options):
    began = time.monotonic()
    text, marks = SUITES[name](options)
    rows = [mark if isinstance(mark, dict) else ratio_row(*mark) for mark in marks]
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return {"text": text, "rows": rows}


def read_json(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def summary_of(rows_by_suite):
    """Markdown: the rows of all suites, those with a mark first."""
    rows = [figures for name in SUITES for figures in rows_by_suite.get(name, [])]
    marked = [figures for figures in rows if figures["mark"]]
    others = [figures for figures in rows if not figures["mark"]]
    return f"{summary_table([*marked, *others])}\n{verdicts(rows)}.\n"


EXPLAINED = """Less is better. `eddy / limit`: the best of the rounds against the best of a hand-written program that does the same
and nothing else, the median of the rounds' ratios, and how far eddy's rounds lie apart. `eddy / best peer` is below 1
where eddy is ahead. A server's or a client's figure is its CPU time a request. A row that names a unit or another base (`x …`) has that figure in
the first column.

"""


def write_results(path, sections, rows_by_suite):
    """Replaces the sections that were measured, keeps the others."""
    kept = {}
    if os.path.exists(path):
        with open(path) as file:
            for part in re.split(r"^(?=## )", file.read(), flags=re.M)[1:]:
                kept[re.match(r"## (\w+)", part)[1]] = part.rstrip() + "\n"
    kept.update(sections)
    ordered = [kept[name] for name in SUITES if name in kept]
    head = HEAD + "## summary\n\n" + EXPLAINED + missing_peers() + summary_of(rows_by_suite) + "\n"
    with open(path, "w") as file:
        file.write(head + "\n".join(ordered))


def missing_peers():
    if not installed.MISSING:
        return ""
    return f"Not installed, so not measured: {', '.join(sorted(installed.MISSING))}. `./dev setup bench` installs them.\n\n"


def arguments():
    source = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SUITES) + "; all by default")
    parser.add_argument("--bin", default=os.path.join(source, "../build/release/bin"), help="where the programs are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="of load, a run")
    parser.add_argument("--quick", action="store_true", help="one short round of the least")
    parser.add_argument("--full", action="store_true", help="more settings; with --quick one short round of all items of core")
    parser.add_argument("--out", default=source, help="the folder that RESULTS.md and results.json go to")
    parser.add_argument("--plot", default=os.path.join(source, "../docs/performance.svg"))
    options = parser.parse_args()
    options.source, options.bin = source, os.path.abspath(options.bin)
    unknown = [name for name in options.names if name not in SUITES]
    if unknown:
        parser.error(f"'{unknown[0]}' is none of {', '.join(SUITES)}")
    if options.quick:
        options.rounds, options.seconds = 1, 0.3
    return options


def main():
    """Exit status 0 whatever the marks say, 1 if a suite did not end."""
    options = arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)  # 1,000 connections
    began, sections, rows_by_suite, broken = time.monotonic(), {}, {}, []
    for name in options.names or SUITES:
        own = copy.copy(options)
        if not options.names and name not in MARKED:
            own.rounds = min(ROUNDS_BESIDE, options.rounds)
        try:
            result = measure(name, own)
        except (Exception, SystemExit) as error:  # what the other suites found stays
            broken.append(f"{name} did not end: {error}")
            print(broken[-1], file=sys.stderr, flush=True)
            continue
        rows_by_suite[name] = result["rows"]
        sections[name] = section(name, result, own)
    print(f"# {' '.join(['./dev bench', *sys.argv[3:]])}\n\n" + missing_peers() + summary_of(rows_by_suite), flush=True)
    print("\n".join(sections.values()))
    if not options.quick:
        path = os.path.join(options.out, "results.json")
        known = {**read_json(path), **rows_by_suite}
        with open(path, "w") as file:
            json.dump({name: known[name] for name in SUITES if name in known}, file, indent=1, ensure_ascii=False)
            file.write("\n")
        write_results(os.path.join(options.out, "RESULTS.md"), sections, known)
        with open(options.plot, "w") as file:
            file.write(plot.svg([figures for name in SUITES for figures in known.get(name, [])]))
    rows = [figures for rows in rows_by_suite.values() for figures in rows]
    print(f"{verdicts(rows)}, {time.monotonic() - began:.0f} s")
    print("".join(f"{line}\n" for line in broken), end="")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

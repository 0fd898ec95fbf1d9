# SPDX-License-Identifier: MIT
"""What it costs that a loop can always be looked into: eddy against a copy of itself without the books."""
import json
import os
import shutil
import statistics
import subprocess

from measure import number, output_of, quietest, table
from suites import cpu_ratio, network

PATCH = "without_books.patch"
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
FOLDERS = ("apps", "bench", "cmake", "examples", "include", "share", "src")
FILES = ("CMakeLists.txt", "CMakePresets.json", "LICENSE")


def programs_without_books(options):
    """Builds the copy; gives the folder of its programs. Raises RuntimeError with what the compiler said."""
    tree = os.path.abspath(os.path.join(options.bin, "../../without_books"))
    for folder in FOLDERS:
        shutil.rmtree(os.path.join(tree, folder), ignore_errors=True)
        shutil.copytree(os.path.join(ROOT, folder), os.path.join(tree, folder),
                        ignore=shutil.ignore_patterns("build", "target", "__pycache__"))
    for file in FILES:
        shutil.copy(os.path.join(ROOT, file), tree)
    build = os.path.join(tree, "build")
    # Outside of the copy there is a repository, of which it is no part.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(tree)}
    for command in (["git", "apply", os.path.join(ROOT, "bench", PATCH)],
                    ["cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", "-DEDDY_TESTS=OFF", "-DEDDY_BENCH=ON"],
                    ["cmake", "--build", build, "--target", "micro_eddy", "tcp_echo"]):
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return os.path.join(build, "bin")


def books(options):
    """What the books cost that are always kept (await chains with their lines, where tasks were made, counters, the
    histogram of the lag): against a copy of eddy without them."""
    bare = programs_without_books(options)
    folders = {"without": bare, "eddy": options.bin, "without, again": bare}
    runs = {}
    for _ in range(options.rounds * (1 if options.quick else 3)):
        for item in ("yield", "spawn", "await"):
            for name, folder in folders.items():
                for line in quietest(lambda: (output_of([os.path.join(folder, "micro_eddy"), item], "0"), 0)).splitlines():
                    what, value = line.split()
                    runs.setdefault(what, {}).setdefault(name, []).append(float(value))
    rows, ratios = [], {}
    for what, by_name in runs.items():
        base = by_name["without"]
        medians = [statistics.median(v / b for v, b in zip(values, base)) for values in by_name.values()]
        ratios[what] = min(by_name["eddy"]) / min(base)
        rows.append([f"`{what}`", number(min(base)), number(min(by_name["eddy"])), f"{ratios[what]:.3f}",
                     f"{medians[1]:.3f}", f"{medians[2]:.3f}"])
    text = (f"The copy is made by [{PATCH}]({PATCH}). `without, again` is the copy a second time: what it differs by is noise.\n\n")
    text += table(["item", "ns without, best", "eddy, best", "bests", "median of rounds", "without, again"], rows)
    server = lambda folder: lambda port, _: [os.path.join(folder, "tcp_echo"), port]
    peers = {name: server(folder) for name, folder in folders.items()}
    setting = "64 connections, 64 bytes"
    load = lambda port: [os.path.join(options.bin, "tcpload"), port, 64, 64, options.seconds]
    echoed, results = network(options, peers, [(setting, load, json.loads)], "message")
    return text + "\n" + echoed, [
        ("spawn and join with the books, x without", ratios["spawn_join"], 1.03),
        ("echo with the books: server CPU a message, x without", cpu_ratio(results[setting], "eddy", "without"), 1.03)]

# SPDX-License-Identifier: MIT
"""What programs cost before they do anything: to compile, on disk, to start."""
import os
import re
import statistics
import subprocess
import tempfile
import time

import installed
from measure import quietest, spread, table
from summary import ratio_row, row


def std_headers(source, include):
    """The standard headers that eddy's own headers name, on the way from `source`."""
    listing = subprocess.run(["g++", "-std=c++20", f"-I{include}", "-H", "-fsyntax-only", source],
                             capture_output=True, text=True, check=True).stderr
    headers, stack = [], []
    for dots, path in re.findall(r"^(\.+) (.+)$", listing, re.M):
        del stack[len(dots) - 1:]
        outer_is_ours = all(include in outer for outer in stack)
        stack.append(path)
        if outer_is_ours and include not in path:
            headers.append(re.sub(r"^.*/include/(c\+\+/\d+/)?", "", path))
    return headers


BASE = "`<string>`, `<vector>`, `<chrono>`, `<functional>`"
HELLO, ECHO, HTTP = "`examples/hello.cpp`", "`examples/tcp_echo.cpp`", "`examples/http_hello.cpp`"
ASIO, BEAST = "echo on Asio", "HTTP on Beast"


def compiled_programs(options, write, include):
    tree = lambda path: os.path.abspath(os.path.join(options.source, path))
    coroutine = "eddy::Coro<int> answer() { co_return 42; }\nint main() { return eddy::run(answer()); }\n"
    bare = write("bare.cpp", "#include <eddy/eddy.hpp>\neddy::Coro<int> answer() { co_return 42; }\nint main() {}\n")
    std = std_headers(bare, include)
    includes = lambda headers: "".join(f"#include <{header}>\n" for header in headers) + "int main() {}\n"
    return std, {
        BASE: write("base.cpp", includes(["string", "vector", "chrono", "functional"])),
        HELLO: tree("../examples/hello.cpp"), ECHO: tree("../examples/tcp_echo.cpp"), HTTP: tree("../examples/http_hello.cpp"),
        ASIO: tree("peers/asio_coro.cpp"), BEAST: tree("peers/beast_http.cpp"),
        "the std headers that eddy.hpp names": write("std.cpp", includes(std)),
        "`#include <eddy/eddy.hpp>`, one coroutine": bare,
        "the same, and `eddy::run()` of it": write("run.cpp", "#include <eddy/eddy.hpp>\n" + coroutine),
        "`#include <eddy/runners.hpp>`, one coroutine run": write("runners.cpp", "#include <eddy/runners.hpp>\n" + coroutine)}


def compile_times(options):
    """How long g++ takes for programs that include eddy."""
    include = os.path.abspath(os.path.join(options.source, "../include"))
    flags = ["-std=c++20", "-O2", "-c", "-o", "/dev/null", f"-I{include}"]
    with tempfile.TemporaryDirectory() as directory:
        def write(name, text):
            path = os.path.join(directory, name)
            with open(path, "w") as file:
                file.write(text)
            return path

        def once(path):
            before = os.times().children_user
            subprocess.run(["/usr/bin/g++", *flags, path], check=True, env={**os.environ, "CCACHE_DISABLE": "1"})
            return os.times().children_user - before, 0
        std, programs = compiled_programs(options, write, include)
        runs = {name: [] for name in programs}
        for turn in range(options.rounds):
            for name, path in programs.items():
                if turn < 2 or name not in (ASIO, BEAST):  # theirs take five and fourteen seconds
                    runs[name].append(quietest(lambda: once(path)))
        lines = {name: subprocess.run(["/usr/bin/g++", "-std=c++20", f"-I{include}", "-E", "-P", path], check=True,
                                      capture_output=True, text=True).stdout.count("\n") for name, path in programs.items()}
    base = runs[BASE]
    rows = [[name, f"{min(times):.2f}", f"{statistics.median(times):.2f}", f"{min(times) / min(base):.2f}", f"{lines[name]:,}"]
            for name, times in runs.items()]
    intro = ("User time of `g++ -std=c++20 -O2 -c`, without ccache; the first row is a program that only includes; Asio and\n"
             "Beast take part in two rounds. The std headers that eddy.hpp\nnames: " + ", ".join(f"`{header}`" for header in std) + ".\n\n")
    text = intro + table(["program", "seconds, best", "median", "x the first row", "lines after the preprocessor"], rows)
    named = "a program that includes 4 headers"
    own = min(runs["`#include <eddy/eddy.hpp>`, one coroutine"]) / min(runs["the std headers that eddy.hpp names"])
    return text, [row("compile time of hello", runs[HELLO], base, limit_name=named, at_most=2),
                  row("compile time of echo", runs[ECHO], base, {"Asio": runs[ASIO]}, named, at_most=3),
                  row("compile time of an HTTP application", runs[HTTP], base, {"Beast": runs[BEAST]}, named, at_most=5),
                  ratio_row("compile: eddy.hpp and one coroutine, x its std headers", own, 1.5)]


def milliseconds(command):
    """From the spawn of a process to its end, in ms, on core 0."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def start(options):
    """Start-up time and size of programs: the loop starts, runs one coroutine that does nothing, and ends."""
    script = os.path.join(options.source, "peers/micro_asyncio.py")
    binary = lambda name: os.path.join(options.bin, name)
    peers = installed.those_there({
        "Asio": [binary("micro_asio"), "start"], "tokio": [binary("micro_tokio"), "start"], "Go": [binary("micro_go"), "start"],
        "asyncio": [installed.PYTHON, script, "asyncio", "start"], "uvloop": [installed.PYTHON, script, "uvloop", "start"],
        "node": ["node", "-e", "setImmediate(() => {})"]})
    everyone = {"limit": [binary("micro_limit"), "start"], "eddy": [binary("micro_eddy"), "start"], **peers}
    runs = {name: [] for name in everyone}
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        for _ in range(options.rounds * (1 if options.quick else 4)):
            for name, command in everyone.items():
                runs[name].append(milliseconds(command))
    finally:
        os.sched_setaffinity(0, cores)
    rows = [[name, f"{min(times):.2f}", f"{statistics.median(times):.2f}", f"{spread(times):.0%}"] for name, times in runs.items()]
    text = "Milliseconds from the spawn of the process to its end.\n\n" + table(["program", "best", "median", "spread"], rows)
    text += "\nBytes of the program file, stripped; what it links dynamically is not in it.\n\n" + sizes(options)
    return text, [row("start-up: a loop with one coroutine, and its end", runs["eddy"], runs["limit"],
                      {name: runs[name] for name in peers}, "the hand-written loop")]


def sizes(options):
    programs = {"eddy": ["hello", "tcp_echo", "http_hello"], "Asio, Beast": ["", "asio_coro", "beast_http"],
                "libuv": ["", "libuv_echo", ""], "tokio, hyper": ["", "tokio_echo", "hyper_http"], "Go": ["", "go_echo", "go_http"]}
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for name, files in programs.items():
            cells = []
            for file in files:
                path, stripped = os.path.join(options.bin, file), os.path.join(directory, "stripped")
                if file and os.path.exists(path):
                    subprocess.run(["strip", "-o", stripped, path], check=True)
                    cells.append(f"{os.path.getsize(stripped):,}")
                else:
                    cells.append("-")
            rows.append([name, *cells])
    return table(["library", "hello", "echo", "HTTP"], rows)

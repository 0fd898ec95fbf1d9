# SPDX-License-Identifier: MIT
"""What is measured: each function gives (Markdown, marks). A mark is (text, measured, limit)."""
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile

import idle as idle_connections
import syscalls as system_calls
from measure import Server, load, number, output_of, quietest, spread, table

ITEMS = ["yield", "spawn", "await", "gather", "timer", "sleep", "late", "queue", "lock", "post", "memory"]
SMOKE_ITEMS = ["yield", "spawn", "await"]


def core(options):
    """The primitives, against the hand-written limit and Boost.Asio."""
    programs = ["micro_limit", "micro_eddy", "micro_asio"]
    runs = {}
    # Those with a mark are short: they run three times as often, so that some rounds find the machine quiet.
    items = SMOKE_ITEMS if options.quick else SMOKE_ITEMS * 2 + ITEMS
    for _ in range(options.rounds):
        for item in items:
            for program in programs:
                # A poster and a loop need a core each; everything else runs on one.
                cores = "0,1" if item == "post" else "0"
                command = [os.path.join(options.bin, program), item]
                text = quietest(lambda: (output_of(command, cores), 0))
                for line in text.splitlines():
                    name, value = line.split()
                    runs.setdefault(name, {}).setdefault(program, []).append(float(value))
    rows, ratio = [], {}
    for name, by_program in runs.items():
        limit, eddy, asio = (by_program[program] for program in programs)
        ratio[name] = min(eddy) / min(limit)
        pairs = statistics.median(e / b for e, b in zip(eddy, limit))
        cells = [f"{number(min(values))} ({number(statistics.median(values))})" for values in (limit, eddy, asio)]
        rows.append([f"`{name}`", *cells, f"{ratio[name]:.2f}", f"{pairs:.2f}", f"{spread(eddy):.0%}"])
    text = ("Nanoseconds an operation unless the name says otherwise: best of the rounds (median). `limit` is\n"
            "[micro_limit.cpp](micro_limit.cpp), a hand-written loop that can do nothing but these items; the other two\n"
            "do the same work through their public interfaces. A waiting task of the limit is one bare frame.\n\n")
    text += table(["item", "limit", "eddy", "Asio", "eddy / limit, bests", "median of rounds", "spread of eddy"], rows)
    marks = [("yield, 1 task, x limit", ratio["yield_1"], 1.5), ("yield, 100 tasks, x limit", ratio["yield_100"], 1.5),
             ("spawn and join, x limit", ratio["spawn_join"], 3.0), ("await, depth 1, x limit", ratio["await_1"], 1.5),
             ("await, depth 10, x limit", ratio["await_10"], 1.5)]
    return text, marks


def network(options, peers, settings, unit):
    """Runs every peer in every setting. Gives the Markdown and the results by setting and peer."""
    servers = {name: Server(command) for name, command in peers.items()}
    results, text = {}, ""
    try:
        for setting, command, parse in settings:
            runs = {name: [] for name in peers}
            for _ in range(options.rounds):
                for name, server in servers.items():
                    runs[name].append(load(server, command, parse))
            results[setting] = runs
            text += f"#### {setting}\n\n" + network_table(runs, unit) + "\n"
    finally:
        for server in servers.values():
            server.stop()
    return text, results


def network_table(runs, unit):
    base = runs[next(iter(runs))]
    rows = []
    for name, own in runs.items():
        def column(key, of=own):
            return [run[key] for run in of]
        cpu, base_cpu = min(column("cpu_us")), min(column("cpu_us", base))
        pairs = statistics.median(a / b for a, b in zip(column("cpu_us"), column("cpu_us", base)))
        rows.append([name, f"{max(column('rate')):,.0f}", f"{statistics.median(column('rate')):,.0f}",
                     f"{max(column('rate')) / max(column('rate', base)):.2f}", f"{spread(column('rate')):.0%}",
                     number(statistics.median(column("p50_us"))), number(statistics.median(column("p99_us"))),
                     f"{cpu:.2f}", f"{cpu / base_cpu:.2f}", f"{pairs:.2f}",
                     f"{statistics.median(column('server_busy')):.0%}", f"{statistics.median(column('generator_busy')):.0%}"])
    base_name = next(iter(runs))
    return table(["peer", f"{unit}/s, best", "median", f"x {base_name}", "spread", "p50 µs", "p99 µs",
                  f"server CPU µs/{unit}, best", f"x {base_name}", "median of rounds", "server busy", "generator busy"], rows)


def cpu_ratio(runs, peer, base):
    return min(run["cpu_us"] for run in runs[peer]) / min(run["cpu_us"] for run in runs[base])


def echo(options):
    """TCP echo, against raw epoll and Asio's coroutines."""
    program = lambda name: lambda port, _: [os.path.join(options.bin, name), port]
    peers = {"raw epoll": program("raw_epoll"), "eddy": program("tcp_echo"), "eddy protocols": program("protocol_echo"),
             "Asio coroutines": program("asio_coro"),
             "raw epoll again": program("raw_epoll")}
    tcpload = lambda connections, size: (
        lambda port: [os.path.join(options.bin, "tcpload"), port, connections, size, options.seconds])
    many = "64 connections, 64 bytes"
    settings = [(many, tcpload(64, 64), json.loads)]
    if not options.quick:
        settings += [("1 connection, 64 bytes", tcpload(1, 64), json.loads),
                     ("64 connections, 16 KiB", tcpload(64, 16384), json.loads)]
    text, results = network(options, peers, settings, "message")
    intro = ("Each connection keeps one message on the way. `raw epoll again` is the same program a second time: what it\n"
             "differs by is noise. Near 100 % the generator is the limit and the rates say little; the CPU time that the\n"
             "server needs for a message is the honest number.\n\n")
    asio = cpu_ratio(results[many], "Asio coroutines", "raw epoll")
    eddy = cpu_ratio(results[many], "eddy", "raw epoll")
    protocols = cpu_ratio(results[many], "eddy protocols", "raw epoll")
    return intro + text, [("echo, 64 connections: server CPU a message, x raw epoll", eddy, 1.08),
                          ("echo through protocols, 64 connections: server CPU a message, x raw epoll", protocols, 1.08),
                          ("echo, 64 connections: server CPU a message, x Asio coroutines", eddy / asio, 1.0)]


def tls(options):
    """TLS 1.3 on OpenSSL: echo and handshakes, against a raw OpenSSL program over epoll."""
    peers = {"raw OpenSSL": lambda port, _: [os.path.join(options.bin, "raw_tls"), port],
             "eddy": lambda port, directory: [os.path.join(options.bin, "tls_echo"), "serve", port,
                                              os.path.join(directory, "certificate.pem")],
             "raw OpenSSL again": lambda port, _: [os.path.join(options.bin, "raw_tls"), port]}
    tlsload = lambda what, connections, size: (
        lambda port: [os.path.join(options.bin, "tlsload"), port, what, connections, size, options.seconds])
    names = ["echo, 64 connections, 64 bytes", "echo, 16 connections, 16 KiB", "full handshakes", "resumed handshakes"]
    settings = [(names[0], tlsload("echo", 64, 64), json.loads), (names[1], tlsload("echo", 16, 16384), json.loads),
                (names[2], tlsload("handshake", 16, 0), json.loads), (names[3], tlsload("resume", 16, 0), json.loads)]
    text, results = network(options, peers, settings, "unit")
    intro = ("A unit is a message, or a connection: connect, shake hands, one byte there and back, close. The server's CPU\n"
             "time for a unit is the honest number. P-256 certificates, TLS_AES_256_GCM_SHA384.\n\n")
    ratio = lambda name: cpu_ratio(results[name], "eddy", "raw OpenSSL")
    return intro + text, [("TLS echo, 64 bytes: server CPU a message, x raw OpenSSL", ratio(names[0]), 1.15),
                          ("TLS echo, 16 KiB: server CPU a message, x raw OpenSSL", ratio(names[1]), 1.15),
                          ("TLS handshakes: server CPU, x raw OpenSSL", ratio(names[2]), 1.15)]


def microseconds(text):
    value, unit = re.match(r"([\d.]+)(us|ms|s|m)$", text).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def parse_wrk(text):
    if re.search(r"Non-2xx|Socket errors: connect [1-9]|read [1-9]", text):
        raise SystemExit(f"bench: wrk had errors\n{text}")
    quantile = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.M))
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            "total": int(re.search(r"(\d+) requests in", text)[1]),
            "p50_us": microseconds(quantile["50"]), "p99_us": microseconds(quantile["99"])}


def nginx(options):
    template = os.path.join(options.source, "peers/nginx.conf.in")

    def command(port, directory):
        with open(template) as file:
            text = file.read().replace("@PORT@", str(port)).replace("@DIR@", directory)
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(text)
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", directory, "-e", "stderr", "-c", path]
    return command


def http(options):
    """HTTP/1.1 "Hello, World!", against a raw responder, Beast and nginx."""
    program = lambda *words: lambda port, _: [os.path.join(options.bin, words[0]), port, *words[1:]]
    peers = {"raw epoll": program("raw_epoll", "http"), "eddy": program("http_hello"),
             "Beast coroutines": program("beast_http"), "nginx": nginx(options)}
    wrk = lambda *more: (lambda port: ["wrk", "-t1", "-c64", f"-d{max(1, round(options.seconds))}s", "--latency", *more,
                                       f"http://127.0.0.1:{port}/"])
    settings = [("64 connections", wrk(), parse_wrk)]
    if not options.quick:
        script = os.path.join(options.source, "load/pipeline.lua")
        settings.append(("64 connections, 16 requests pipelined", wrk("-s", script), parse_wrk))
    text, results = network(options, peers, settings, "request")
    eddy, beast = (cpu_ratio(results["64 connections"], name, "raw epoll") for name in ("eddy", "Beast coroutines"))
    intro = ("Generator: wrk, one thread. The raw responder does not look at requests: it answers each empty line. The\n"
             "latencies that wrk prints for pipelined requests mean nothing.\n\n")
    return intro + text, [("HTTP hello, 64 connections: server CPU a request, x Beast", eddy / beast, 1.0)]


def back_ends(options):
    """The back ends: what decides which one is the default."""
    def eddy(program, backend):
        return lambda port, _: ["env", f"EDDY_BACKEND={backend}", os.path.join(options.bin, program), port]

    def raw(program, *words):
        return lambda port, _: [os.path.join(options.bin, program), port, *words]
    tcpload = lambda connections, size: (
        lambda port: [os.path.join(options.bin, "tcpload"), port, connections, size, options.seconds])
    echo_peers = {"eddy, epoll": eddy("tcp_echo", "epoll"), "eddy, io_uring": eddy("tcp_echo", "io_uring"),
                  "raw epoll": raw("raw_epoll"), "raw io_uring": raw("raw_uring"), "eddy, poll": eddy("tcp_echo", "poll")}
    http_peers = {"eddy, epoll": eddy("http_hello", "epoll"), "eddy, io_uring": eddy("http_hello", "io_uring"),
                  "raw epoll": raw("raw_epoll", "http"), "raw io_uring": raw("raw_uring", "http")}
    wrk = lambda *more: (lambda port: ["wrk", "-t1", "-c64", f"-d{max(1, round(options.seconds))}s", "--latency", *more,
                                       f"http://127.0.0.1:{port}/"])
    settings = [("echo, 64 connections, 64 bytes", tcpload(64, 64), json.loads)]
    if not options.quick:
        settings += [("echo, 1 connection, 64 bytes", tcpload(1, 64), json.loads),
                     ("echo, 512 connections, 64 bytes", tcpload(512, 64), json.loads),
                     ("echo, 64 connections, 16 KiB", tcpload(64, 16384), json.loads),
                     ("echo, 1 connection, 256 KiB", tcpload(1, 262144), json.loads)]
    text, results = network(options, echo_peers, settings, "message")
    settings = [("HTTP hello, 64 connections", wrk(), parse_wrk)]
    if not options.quick:
        settings.append(("HTTP hello, 64 connections, a connection a request", wrk("-H", "Connection: close"), parse_wrk))
        more, closing = network(options, {name: peer for name, peer in http_peers.items() if name.startswith("eddy")},
                                settings[1:], "request")
        text, results = text + more, {**results, **closing}
    more, hello = network(options, http_peers, settings[:1], "request")
    results |= hello
    ratios = [[setting, *(number(statistics.median(run["cpu_us"] for run in runs[f"eddy, {name}"])) for name in ("epoll", "io_uring")),
               f"{cpu_ratio(runs, 'eddy, io_uring', 'eddy, epoll'):.2f}",
               f"{statistics.median(a['cpu_us'] / b['cpu_us'] for a, b in zip(runs['eddy, io_uring'], runs['eddy, epoll'])):.2f}"]
              for setting, runs in results.items()]
    intro = ("The server's own CPU time, system time included, is what is compared: rates depend on what else runs. Rounds are\n"
             "interleaved.\n\n")
    summary = table(["server CPU µs, median of rounds", "epoll", "io_uring", "io_uring / epoll, bests", "median of pairs"], ratios)
    return intro + summary + "\n" + text + more, []


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


def compile_times(options):
    """How long g++ takes for programs that include eddy."""
    include = os.path.abspath(os.path.join(options.source, "../include"))
    echo_program = os.path.abspath(os.path.join(options.source, "../examples/tcp_echo.cpp"))
    flags = ["-std=c++20", "-O2", "-c", "-o", "/dev/null", f"-I{include}"]
    with tempfile.TemporaryDirectory() as directory:
        def write(name, text):
            path = os.path.join(directory, name)
            with open(path, "w") as file:
                file.write(text)
            return path
        coroutine = "eddy::Coro<int> answer() { co_return 42; }\nint main() { return eddy::run(answer()); }\n"
        bare = write("bare.cpp", "#include <eddy/eddy.hpp>\neddy::Coro<int> answer() { co_return 42; }\nint main() {}\n")
        std = std_headers(bare, include)
        programs = {
            "the std headers that eddy.hpp names": write("std.cpp", "".join(f"#include <{h}>\n" for h in std) + "int main() {}\n"),
            "`#include <eddy/eddy.hpp>`, one coroutine": bare,
            "the same, and `eddy::run()` of it": write("run.cpp", "#include <eddy/eddy.hpp>\n" + coroutine),
            "`#include <eddy/runners.hpp>`, one coroutine run": write("runners.cpp", "#include <eddy/runners.hpp>\n" + coroutine),
            "`examples/tcp_echo.cpp`": echo_program,
        }
        runs = {name: [] for name in programs}

        def once(path):
            before = os.times().children_user
            subprocess.run(["/usr/bin/g++", *flags, path], check=True, env={**os.environ, "CCACHE_DISABLE": "1"})
            return os.times().children_user - before, 0
        for _ in range(options.rounds):
            for name, path in programs.items():
                runs[name].append(quietest(lambda: once(path)))
        lines = {name: subprocess.run(["/usr/bin/g++", "-std=c++20", f"-I{include}", "-E", "-P", path], check=True,
                                      capture_output=True, text=True).stdout.count("\n") for name, path in programs.items()}
    base = next(iter(runs.values()))
    rows = [[name, f"{min(times):.2f}", f"{statistics.median(times):.2f}", f"{min(times) / min(base):.2f}", f"{lines[name]:,}"]
            for name, times in runs.items()]
    intro = ("User time of `g++ -std=c++20 -O2 -c`, without ccache. The headers of the first row: "
             + ", ".join(f"`{header}`" for header in std) + ".\n\n")
    text = intro + table(["program", "seconds, best", "median", "x std headers", "lines after the preprocessor"], rows)
    bare_ratio = min(runs["`#include <eddy/eddy.hpp>`, one coroutine"]) / min(base)
    return text, [("compile: eddy.hpp and one coroutine, x its std headers", bare_ratio, 1.5)]


def generators(options):
    """A step of a generator, and of one under levels of delegation."""
    runs = {}
    for _ in range(options.rounds):
        text = quietest(lambda: (output_of([os.path.join(options.bin, "micro_generators")], "0"), 0))
        for line in text.splitlines():
            name, value = line.split()
            runs.setdefault(name, []).append(float(value))
    rows = [[f"`{name}`", number(min(values)), number(statistics.median(values)), f"{spread(values):.0%}"]
            for name, values in runs.items()]
    best = {name: min(values) for name, values in runs.items()}
    text = ("Nanoseconds an operation ([micro_generators.cpp](micro_generators.cpp)). `delegated_next_N`: a step of a generator\n"
            "under N levels of `co_yield from(…)`; `recursive_resume_N`: the same levels, each resuming the next.\n\n")
    text += table(["item", "best", "median", "spread"], rows)
    return text, [("a step under 1000 levels of delegation, x 1 level", best["delegated_next_1000"] / best["delegated_next_1"], 1.5),
                  ("generator next(), x a bare coroutine's resume", best["generator_next"] / best["bare_generator"], 3.0)]


def workers(options):
    """Jobs on threads, in processes and on other cores, context variables, split work."""
    runs = {}
    for _ in range(options.rounds):
        for item in ("thread", "process", "context", "cores", "speed_up"):
            text = output_of([os.path.join(options.bin, "micro_workers"), item], "0" if item == "context" else "0,1")
            for line in text.splitlines():
                name, value = line.split()
                runs.setdefault(name, []).append(float(value))
    speed_up, loops = runs.pop("pool_speed_up_percent"), runs.pop("loops_speed_up_percent")
    rows = [[f"`{name}`", number(min(values)), number(statistics.median(values)), f"{spread(values):.0%}"]
            for name, values in runs.items()]
    text = ("Nanoseconds an operation ([micro_workers.cpp](micro_workers.cpp)): a job there and back, one at a time, on a thread\n"
            "and in a process, also with a string of 1 MiB each way; `submit_and_result`: 200,000 jobs to one thread, then their\n"
            "results; `spawn_with_context`: a task made and awaited by one that has a context.\n\n")
    text += table(["item", "best", "median", "spread"], rows)
    text += (f"\nWork split among a pool of {os.cpu_count()} threads is {max(speed_up) / 100:.2f} times as fast as on one "
             f"(median {statistics.median(speed_up) / 100:.2f}). Tasks that work and yield, on a loop a core instead of one: "
             f"{max(loops) / 100:.2f} times as fast (median {statistics.median(loops) / 100:.2f}).\n")
    return text, []


def inside(options):
    """What it costs to be looked into: EDDY_INSPECT=1 and EDDY_DEBUG=1 against neither."""
    modes = {"neither": [], "EDDY_INSPECT=1": ["EDDY_INSPECT=1"], "EDDY_DEBUG=1": ["EDDY_DEBUG=1"], "neither again": []}
    runs = {}
    for _ in range(options.rounds * (1 if options.quick else 3)):
        for item in ("yield", "spawn", "await", "queue"):
            for mode, variables in modes.items():
                command = ["env", *variables, os.path.join(options.bin, "micro_eddy"), item]
                for line in quietest(lambda: (output_of(command, "0"), 0)).splitlines():
                    name, value = line.split()
                    runs.setdefault(name, {}).setdefault(mode, []).append(float(value))
    rows, ratios = [], {}
    for name, by_mode in runs.items():
        base = by_mode["neither"]
        cells = [f"{statistics.median(v / b for v, b in zip(values, base)):.3f}" for values in by_mode.values()]
        ratios[name] = min(by_mode["EDDY_INSPECT=1"]) / min(base)
        rows.append([f"`{name}`", number(min(base)), *cells[1:]])
    text = ("Medians of the rounds' ratios. `neither again` is the same program a second time: what it differs by is noise.\n\n")
    text += table(["item", "ns, neither", "x with EDDY_INSPECT=1", "x with EDDY_DEBUG=1", "x neither again"], rows)
    server = lambda *variables: lambda port, _: ["env", *variables, os.path.join(options.bin, "tcp_echo"), port]
    peers = {"neither": server(), "EDDY_INSPECT=1": server("EDDY_INSPECT=1"), "neither again": server()}
    setting = ("64 connections, 64 bytes", lambda port: [os.path.join(options.bin, "tcpload"), port, 64, 64, options.seconds], json.loads)
    echoed, results = network(options, peers, [setting], "message")
    echo_ratio = cpu_ratio(results[setting[0]], "EDDY_INSPECT=1", "neither")
    return text + "\n" + echoed, [("spawn and join with EDDY_INSPECT=1, x without, bests", ratios["spawn_join"], 1.03),
                                  ("echo with EDDY_INSPECT=1: server CPU a message, x without", echo_ratio, 1.03)]


def udp(options):
    """Datagrams of 1,200 bytes on the loopback, one by one and in batches, against the bare system calls."""
    runs = {}
    for _ in range(options.rounds):
        for program in ("udp_raw", "udp_eddy"):
            text = quietest(lambda: (output_of([os.path.join(options.bin, program)], "0"), 0))
            for line in text.splitlines():
                name, value = line.split()
                runs.setdefault(name, {}).setdefault(program, []).append(float(value))
    rows, ratio = [], {}
    base = {"protocol": "echo"}  # what the raw program has under another name
    for name, by_program in runs.items():
        raw = runs[base.get(name, name)]["udp_raw"]
        own = by_program.get("udp_eddy")
        if own:
            ratio[name] = min(own) / min(raw)
        rows.append([f"`{name}`", f"{1e9 / min(raw):,.0f}" if name not in base else "", f"{1e9 / min(own):,.0f}" if own else "",
                     f"{ratio[name]:.2f}" if own else "", f"{spread(own or raw):.0%}"])
    text = ("Datagrams a second of CPU time, sending and receiving together, best of the rounds. `echo`: there and back, one at a\n"
            "time; `protocol`: the same through DatagramProtocols; `single`: bursts of 32, a call each; `batch_plain`: sendmmsg and\n"
            "recvmmsg; `batch`: sent as one packet that the kernel cuts (UDP_SEGMENT), as send_batch() does; `joined`: received so,\n"
            "too (UDP_GRO).\n\n")
    text += table(["item", "by hand", "eddy", "eddy's CPU time, x by hand", "spread"], rows)
    return text, [("datagram echo, CPU a datagram, x system calls by hand", ratio["echo"], 1.25),
                  ("datagrams in batches, CPU a datagram, x system calls by hand", ratio["batch"], 1.15)]


def selectors(options):
    """What it costs to hear of an event, by selector, with idle descriptors beside it and without."""
    runs = {}
    for _ in range(options.rounds):
        text = quietest(lambda: (output_of([os.path.join(options.bin, "micro_selectors")], "0"), 0))
        for line in text.splitlines():
            name, value = line.split()
            runs.setdefault(name, []).append(float(value))
    best = {name: min(values) for name, values in runs.items()}
    settings = [("1 active, 10 idle", "idle_10"), ("1 active, 100 idle", "idle_100"), ("1 active, 1000 idle", "idle_1000"),
                ("5 active, 1000 idle", "idle_1000_active_5"), ("20 busy, none idle", "busy_20")]
    kinds = ["select", "poll", "epoll", "raw"]
    rows = [[title, *(number(best[f"{kind}_{item}"]) for kind in kinds),
             f"{best[f'select_{item}'] / best[f'epoll_{item}']:.2f}"] for title, item in settings]
    text = ("Nanoseconds of CPU an event, best of the rounds ([micro_selectors.cpp](micro_selectors.cpp)): a byte is written, heard of\n"
            "and read. `epoll_wait` is the call by itself, without a selector's keys.\n\n")
    text += table(["sockets", "select", "poll", "epoll", "epoll_wait", "select / epoll"], rows)
    return text, [("epoll: an event beside 1000 idle descriptors, x 10 idle", best["epoll_idle_1000"] / best["epoll_idle_10"], 1.5),
                  ("EpollSelector, 20 busy, x epoll_wait", best["epoll_busy_20"] / best["raw_busy_20"], 1.5)]


def idle(options):
    """Memory of connections on which nothing happens, against raw epoll and Asio's coroutines."""
    room = idle_connections.room()
    count = min(room, idle_connections.LEAST) if options.quick else room
    program = lambda *words: lambda port, directory: [*words[:-1], os.path.join(options.bin, words[-1]), port]
    backend = lambda name, words: program("env", f"EDDY_BACKEND={name}", words)
    tls = lambda name: lambda port, directory: ["env", f"EDDY_BACKEND={name}", os.path.join(options.bin, "tls_echo"), "serve",
                                                port, os.path.join(directory, "certificate.pem")]
    http_raw = lambda port, _: [os.path.join(options.bin, "raw_epoll"), port, "http"]
    settings = [("a stream that waits in a read", idle_connections.plain, count,
                 {"raw epoll": program("raw_epoll"), "eddy, epoll": backend("epoll", "tcp_echo"),
                  "eddy, io_uring": backend("io_uring", "tcp_echo"), "Asio coroutines": program("asio_coro")}),
                ("HTTP, kept alive after a request", idle_connections.kept_alive, count,
                 {"raw epoll": http_raw, "eddy, epoll": backend("epoll", "http_hello"),
                  "eddy, io_uring": backend("io_uring", "http_hello"), "Beast coroutines": program("beast_http")}),
                ("TLS, after the handshake", idle_connections.over_tls, min(count, 1000),
                 {"raw OpenSSL": program("raw_tls"), "eddy, epoll": tls("epoll"), "eddy, io_uring": tls("io_uring")})]
    rows, measured = [], {}
    for setting, connect, connections, peers in settings:
        for name, command in peers.items():
            server = Server(command)
            try:
                measured[setting, name] = idle_connections.bytes_each(server, connect, connections)
            finally:
                server.stop()
        base = max(measured[setting, next(iter(peers))], 1)
        rows += [[setting, name, f"{connections:,}", f"{measured[setting, name]:,.0f}", f"{measured[setting, name] / base:.1f}"]
                 for name in peers]
    text = ("The growth of the server's private memory by /proc, bytes a connection: user memory alone, the kernel's sockets are\n"
            "not in it. The clients are another process.\n\n")
    text += table(["what", "server", "connections", "bytes each", "x the first"], rows)
    stream = "a stream that waits in a read"
    limit = 1536
    return text, [(f"idle stream, {name}: KiB each", measured[stream, f"eddy, {name}"] / 1024, limit / 1024)
                  for name in ("epoll", "io_uring")]


def syscalls(options):
    """System calls of a server, counted by strace, for a message and for a request."""
    return system_calls.measure(options)


SUITES = {"core": core, "generators": generators, "workers": workers, "selectors": selectors, "inside": inside,
          "echo": echo, "tls": tls, "udp": udp, "http": http, "idle": idle, "syscalls": syscalls, "back_ends": back_ends, "compile": compile_times}

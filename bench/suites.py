# SPDX-License-Identifier: MIT
"""What is measured: each function gives (Markdown, marks). A mark is (text, measured, limit) or a row of summary.py.

The suites with peers are in suite_core.py, suite_network.py and suite_programs.py.
"""
import json
import os
import re
import statistics

import idle as idle_connections
import installed
import syscalls as system_calls
from measure import Server, load, number, on, output_of, quietest, spread, table
from summary import row


FAR_BEHIND = {"libevent", "Go", "asyncio", "uvloop", "node", "aiohttp"}  # two rounds tell as much of them


def network(options, peers, settings, unit):
    """Runs every peer in every setting. Gives the Markdown and the results by setting and peer."""
    servers = {name: Server(command) for name, command in peers.items()}
    results, text = {}, ""
    try:
        for setting, command, parse in settings:
            runs = {name: [] for name in peers}
            for turn in range(options.rounds):
                for name, server in servers.items():
                    if turn < 2 or name not in FAR_BEHIND:
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


def back_ends(options):
    """The back ends: what decides which one is the default."""
    def eddy(program, backend):
        return lambda port, _: on(backend, os.path.join(options.bin, program), port)

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


def inside(options):
    """What it costs to be looked into: EDDY_INSPECT=1 and EDDY_DEBUG=1 against neither."""
    modes = {"neither": [], "EDDY_INSPECT=1": ["EDDY_INSPECT=1"], "EDDY_DEBUG=1": ["EDDY_DEBUG=1"], "neither again": []}
    runs = {}
    for turn in range(options.rounds * (1 if options.rounds <= 2 else 3)):
        for item in ("yield", "spawn", "await", "queue"):
            for mode, variables in modes.items():
                # Debug mode keeps a stack of each frame: ten seconds of spawning, and of awaits half a minute.
                if mode == "EDDY_DEBUG=1" and (turn > 0 or item == "await"):
                    continue
                command = ["env", *variables, os.path.join(options.bin, "micro_eddy"), item]
                for line in quietest(lambda: (output_of(command, "0"), 0)).splitlines():
                    name, value = line.split()
                    runs.setdefault(name, {}).setdefault(mode, []).append(float(value))
    rows, ratios = [], {}
    for name, by_mode in runs.items():
        base = by_mode["neither"]
        cells = [f"{statistics.median(v / b for v, b in zip(by_mode[mode], base)):.3f}" if mode in by_mode else "-" for mode in modes]
        ratios[name] = min(by_mode["EDDY_INSPECT=1"]) / min(base)
        rows.append([f"`{name}`", number(min(base)), *cells[1:]])
    text = ("Medians of the rounds' ratios; debug mode takes part in one round, without the awaits. `neither again` is the same\n"
            "program a second time: what it differs by is noise.\n\n")
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


def echo_peers(options, buffer):
    """The echo servers of the peers that are installed: {name: command(port, directory)}. `buffer`: bytes that each
    connection of those has that do not share one."""
    program = lambda name: [os.path.join(options.bin, name), "{port}"]
    script = os.path.join(options.source, "peers/python_echo.py")
    peers = {"Asio": [*program("asio_coro"), str(buffer)], "libuv": program("libuv_echo"), "libevent": program("libevent_echo"),
             "tokio": [*program("tokio_echo"), str(buffer)],
             "Go": [*program("go_echo"), str(buffer)],
             "asyncio": [installed.PYTHON, script, "{port}", "asyncio"], "uvloop": [installed.PYTHON, script, "{port}", "uvloop"],
             "node": ["node", os.path.join(options.source, "peers/node_echo.js"), "{port}"]}
    return server_words(installed.those_there(peers))


def server_words(peers, *more):
    """Server commands of {name: words}: `{port}` stands for the port."""
    def command(words):
        return lambda port, directory: [*(word.format(port=port) for word in words), *more]
    return {name: command(words) for name, words in peers.items()}


def idle(options):
    """Memory of connections on which nothing happens, against raw epoll and every peer."""
    wanted = idle_connections.LEAST if options.quick else 4_000 if options.rounds <= 2 else idle_connections.WANTED
    count = min(idle_connections.room(), wanted)
    program = lambda *words: lambda port, directory: [*words[:-1], os.path.join(options.bin, words[-1]), port]
    backend = lambda name, server: program(*on(name, server))
    tls = lambda name: lambda port, directory: on(name, os.path.join(options.bin, "tls_echo"), "serve", port,
                                                  os.path.join(directory, "certificate.pem"))
    http_raw = lambda port, _: [os.path.join(options.bin, "raw_epoll"), port, "http"]
    settings = [("a stream that waits in a read", idle_connections.plain, count,
                 {"raw epoll": program("raw_epoll"), "eddy, epoll": backend("epoll", "tcp_echo"),
                  "eddy, io_uring": backend("io_uring", "tcp_echo"), **echo_peers(options, 16384)}),
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
            except OSError as error:
                raise SystemExit(f"bench: idle, {setting}, {name}: {error}") from error
            finally:
                server.stop()
        base = max(measured[setting, next(iter(peers))], 1)
        rows += [[setting, name, f"{connections:,}", f"{measured[setting, name]:,.0f}", f"{measured[setting, name] / base:.1f}"]
                 for name in peers]
    text = ("The growth of the server's private memory by /proc, bytes a connection: user memory alone, the kernel's sockets are\n"
            "not in it. The clients are another process. Asio, tokio and Go have a buffer of 16 KiB a connection, as their\n"
            "tutorials do; what counts is how much of it is touched.\n\n")
    text += table(["what", "server", "connections", "bytes each", "x the first"], rows)
    stream = "a stream that waits in a read"
    limit = 1536
    figures = {name: [value] for (setting, name), value in measured.items() if setting == stream}
    peers = {name: values for name, values in figures.items() if name not in ("raw epoll", "eddy, epoll", "eddy, io_uring")}
    idle_row = row("memory of an idle connection with a reader waiting", figures["eddy, epoll"], figures["raw epoll"], peers,
                   "raw epoll", below=(400, "B"), ahead=True, but=["libuv"])
    return text, [idle_row] + [(f"idle stream, {name}: KiB each", measured[stream, f"eddy, {name}"] / 1024, limit / 1024)
                  for name in ("epoll", "io_uring")]


def syscalls(options):
    """System calls of a server, counted by strace, for a message and for a request."""
    return system_calls.measure(options)


SUITES = {"selectors": selectors, "inside": inside, "tls": tls, "udp": udp, "idle": idle, "syscalls": syscalls,
          "back_ends": back_ends}

# SPDX-License-Identifier: MIT
"""TCP echo, HTTP servers and HTTP clients against every peer."""
import copy
import json
import os
import shutil
import statistics
import tempfile

import installed
from measure import Server, cpu_seconds, number, on, output_of, quietest, spread, table
from suites import FAR_BEHIND, echo_peers, network, parse_wrk, server_words
from summary import row

FILE_BYTES = 100_000


def who_takes_two(fewer):
    return f"Settings without a mark take {fewer.rounds} rounds, peers that are far behind ({', '.join(sorted(FAR_BEHIND))}) two.\n\n"


def with_rounds(options, rounds):
    changed = copy.copy(options)
    changed.rounds = min(rounds, options.rounds)
    return changed


def cpu(runs, name):
    return [run["cpu_us"] for run in runs[name]] if name in runs else None


def quickest(runs, names):
    """The one of `names` that needed the least CPU time; None if none of them ran."""
    return min((name for name in names if name in runs), key=lambda name: min(cpu(runs, name)), default=None)


def cpu_row(workload, runs, limits, **mark):
    """A row of server CPU times. `limits`: the raw programs, of which the better is the limit, as the better of eddy's two
    back ends is eddy."""
    ours = ("eddy", "eddy, io_uring")
    limit, eddy = quickest(runs, limits), quickest(runs, ours)
    beside = {*ours, "eddy protocols", *limits, "raw epoll again"}
    peers = {name: cpu(runs, name) for name in runs if name not in beside}
    return row(workload + eddy.removeprefix("eddy"), cpu(runs, eddy), cpu(runs, limit) if limit else None, peers, limit or "",
               **mark)


def echo_servers(options):
    binary = lambda name: [os.path.join(options.bin, name), "{port}"]
    own = {"raw epoll": binary("raw_epoll"), "raw io_uring": binary("raw_uring"), "eddy": binary("tcp_echo"),
           "eddy, io_uring": on("io_uring", *binary("tcp_echo")), "eddy protocols": binary("protocol_echo")}
    return {**server_words(own), **echo_peers(options, 65536), **server_words({"raw epoll again": binary("raw_epoll")})}


def echo(options):
    """TCP echo, against raw epoll, raw io_uring and every peer."""
    seconds = min(options.seconds, 0.4)
    peers = echo_servers(options)
    tcpload = lambda connections, size: (
        lambda port: [os.path.join(options.bin, "tcpload"), port, connections, size, seconds])
    setting = lambda connections, size, words: (f"{connections:,} connection{'s'[:connections != 1]}, {words}",
                                                tcpload(connections, size), json.loads)
    marked = [setting(64, 64, "64 bytes"), setting(512, 64, "64 bytes"), setting(64, 16384, "16 KiB")]
    others = [setting(1, 16, "16 bytes"), setting(1000, 4096, "4 KiB")]
    stream = setting(1, 1 << 20, "1 MiB: a stream")
    accepts = ("connections made, 16 at a time",
               lambda port: [os.path.join(options.bin, "connload"), port, 16, seconds], json.loads)
    if options.full:
        others += [setting(connections, size, words) for connections in (1, 64, 1000)
                   for size, words in ((16, "16 bytes"), (4096, "4 KiB"), (65536, "64 KiB"))
                   if (connections, size) not in ((1, 16), (1000, 4096))]
    if options.quick:
        marked, others = marked[:1], []
    text, results = network(options, peers, marked, "message")
    fewer = with_rounds(options, 5 if options.full else 2)
    marked_only = {"eddy, io_uring", "eddy protocols", "raw epoll again"}
    beside = {name: words for name, words in peers.items() if name not in marked_only}
    more, other_results = network(fewer, beside, [*others, stream], "message")
    accepted, accept_results = network(fewer, beside, [accepts], "connection")
    results = {**results, **other_results, **accept_results}
    intro = ("Each connection keeps one message on the way. `eddy, io_uring` is the same program with `EDDY_BACKEND=io_uring`;\n"
             "`raw epoll again` the same a second time: what it differs by is noise. Near 100 % the generator is the limit and\n"
             "the rates say little; the CPU time that the server needs for a message is the honest number. A stream's message is\n"
             "1 MiB: its rate is MiB/s each way. A connection is made, echoes one byte and is reset. Everybody reads up to 64 KiB\n"
             "at a time (eddy and Python 256).\n" + who_takes_two(fewer))
    marks = {"64 connections, 64 bytes": {"at_most": 1.03, "ahead": True}, "512 connections, 64 bytes": {"at_most": 1.03, "ahead": True},
             "64 connections, 16 KiB": {"ahead": True}}
    rows = [cpu_row(f"TCP echo, {name}: server CPU", runs, ["raw epoll", "raw io_uring"], **marks.get(name, {}))
            for name, runs in results.items()]
    return intro + text + more + accepted, rows


def make_file(directory):
    path = os.path.join(directory, "file")
    with open(path, "wb") as file:
        file.write(os.urandom(FILE_BYTES))
    return path


def nginx(options, served):
    def command(port, directory):
        with open(os.path.join(options.source, "peers/nginx.conf.in")) as file:
            text = file.read().replace("@PORT@", str(port)).replace("@DIR@", directory).replace("@FILE@", served)
            text = text.replace("@SITE@", os.path.join(os.path.dirname(served), "site"))
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(text)
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", directory, "-e", "stderr", "-c", path]
    return command


def http_peers(options, served):
    binary = lambda *words: [os.path.join(options.bin, words[0]), "{port}", *words[1:]]
    raw = server_words({"raw epoll": binary("raw_epoll", "http"), "raw io_uring": binary("raw_uring", "http")})
    eddy = server_words({"eddy": binary("http_eddy")}, served)
    peers = {"Beast": binary("beast_http"), "hyper": binary("hyper_http"), "Go": binary("go_http"),
             "node": ["node", os.path.join(options.source, "peers/node_http.js"), "{port}"],
             "aiohttp": [installed.PYTHON, os.path.join(options.source, "peers/aiohttp_http.py"), "{port}"]}
    return raw, {**eddy, **server_words(installed.those_there(peers), served), "nginx": nginx(options, served)}


def http(options):
    """HTTP/1.1: greetings, JSON and a file, against a raw responder and every peer."""
    wrk = lambda connections, path, *more: (
        lambda port: ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(options.seconds))}s", "--latency", *more,
                      f"http://127.0.0.1:{port}{path}"])
    pipelined = ("-s", os.path.join(options.source, "load/pipeline.lua"))
    marked = [("hello, 64 connections", wrk(64, "/"), parse_wrk), ("hello, 512 connections", wrk(512, "/"), parse_wrk),
              ("hello, 64 connections, 16 requests pipelined", wrk(64, "/", *pipelined), parse_wrk)]
    one = [("hello, 1 connection", wrk(1, "/"), parse_wrk)]
    served_only = [("JSON, 64 connections", wrk(64, "/json"), parse_wrk), ("file of 100 kB, 64 connections", wrk(64, "/file"), parse_wrk)]
    with tempfile.TemporaryDirectory() as directory:
        raw, others = http_peers(options, make_file(directory))
        text, results = network(options, {**raw, **others}, marked[:1] if options.quick else marked, "request")
        fewer = with_rounds(options, 2)
        if not options.quick:
            more, found = network(fewer, {**raw, **others}, one, "request")
            text, results = text + more, {**results, **found}
        more, found = network(fewer, others, served_only, "request")
        text, results = text + more, {**results, **found}
    intro = ("Generator: wrk, one thread. The raw responders do not look at requests: they answer each empty line. The\n"
             "latencies that wrk prints for pipelined requests mean nothing. Every peer builds its JSON anew for each request,\n"
             "nginx excepted; eddy, nginx and Go send the file with sendfile(), hyper reads it into memory.\n"
             + who_takes_two(fewer))
    marks = {marked[0][0]: {"at_most": 1.08, "ahead": True}, marked[1][0]: {"at_most": 1.08, "ahead": True},
             marked[2][0]: {"at_most": 1.5, "ahead": True}}
    rows = []
    for name, runs in results.items():
        # The raw responder of the marks is the one on epoll, which all servers here use; the other is shown beside it.
        kept = {peer: values for peer, values in runs.items() if peer != "raw io_uring"}
        rows.append(cpu_row(f"HTTP {name}: server CPU", kept, ["raw epoll"], **marks.get(name, {})))
    return intro + text, rows


def client(options):
    """HTTP clients at 64 connections against nginx."""
    script = os.path.join(options.source, "peers/aiohttp_client.py")
    binary = lambda name: [os.path.join(options.bin, name)]
    peers = installed.those_there({"hyper": binary("hyper_client"), "Go": binary("go_client"), "aiohttp": [installed.PYTHON, script]})
    everyone = {"eddy": binary("client_eddy"), **peers}
    runs = {name: [] for name in everyone}
    with tempfile.TemporaryDirectory() as directory:
        server = Server(nginx(options, make_file(directory)), cores="1")

        def once(words):
            before = cpu_seconds(server.process.pid)
            result = json.loads(output_of([*words, server.port, 64, options.seconds], cores="0"))
            return result, cpu_seconds(server.process.pid) - before
        try:
            for _ in range(options.rounds):
                for name, words in everyone.items():
                    runs[name].append(quietest(lambda: once(words)))
        finally:
            server.stop()
    rows = []
    for name, own in runs.items():
        rates, costs = [run["rate"] for run in own], [run["cpu_us"] for run in own]
        rows.append([name, f"{max(rates):,.0f}", f"{statistics.median(rates):,.0f}", f"{min(costs):.2f}", number(statistics.median(costs)),
                     f"{min(costs) / min(cpu(runs, 'eddy')):.2f}", f"{spread(costs):.0%}"])
    text = ("64 tasks of one session ask for `/`, read 13 bytes and compare them ([client_eddy.cpp](client_eddy.cpp)): the client has\n"
            "a core, nginx the other. The CPU time is the client's own, after a warm-up.\n\n")
    text += table(["client", "requests/s, best", "median", "client CPU µs/request, best", "median", "x eddy", "spread"], rows)
    return text, [row("HTTP client, 64 connections: client CPU a request", cpu(runs, "eddy"),
                      peers={name: cpu(runs, name) for name in peers}, less_than={"hyper": 1, "aiohttp": 8})]

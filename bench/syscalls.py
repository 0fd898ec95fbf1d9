# SPDX-License-Identifier: MIT
"""Counts a server's system calls with strace while a client does a known number of exchanges, each by each.

The least possible of an echo is one recv and one send, and a call that waits: once for each message when there is one
connection, shared by all that are ready when there are many. With io_uring the waiting call brings the bytes, too.
"""
import collections
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from measure import Server, on, table

WARM_UP = 20    # exchanges a connection that are not counted
COUNTED = 200
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connect(port, count):
    connections = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connections


def exchange(connections, message, whole, rounds):
    """All connections send, then all receive: as many as are there are ready at once."""
    for _ in range(rounds):
        for connection in connections:
            connection.sendall(message)
        for connection in connections:
            received = b""
            while not whole(received):
                piece = connection.recv(65536)
                if not piece:
                    raise SystemExit("bench: a server closed the connection")
                received += piece


def traced(pid, work):
    """The calls of a process, all its threads, while `work()` runs: strace begins before and ends after."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as file:
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", file.name, "-p", str(pid)], stderr=subprocess.PIPE)
        wait_until_traced(pid)
        time.sleep(0.2)
        work()
        time.sleep(0.2)
        tracer.terminate()
        tracer.wait()
        return collections.Counter(re.findall(r"^\d+\s+(\w+)\(", file.read(), re.M))


def wait_until_traced(pid):
    for _ in range(200):
        with open(f"/proc/{pid}/status") as file:
            if not re.search(r"^TracerPid:\s+0$", file.read(), re.M):
                return
        time.sleep(0.02)
    raise SystemExit("bench: strace could not attach; is ptrace allowed here?")


def count(command, connections, message, whole):
    server = Server(command)
    clients = []
    try:
        clients = connect(server.port, connections)
        exchange(clients, message, whole, WARM_UP)
        calls = traced(server.process.pid, lambda: exchange(clients, message, whole, COUNTED))
    finally:
        for client in clients:
            client.close()
        server.stop()
    return {name: number / (COUNTED * connections) for name, number in calls.items()}


def measure(options):
    if not shutil.which("strace"):
        raise SystemExit("bench: syscalls needs strace; ./dev setup bench installs it")
    program = lambda *words: lambda port, _: [*words[:-1], os.path.join(options.bin, words[-1]), port]
    eddy = lambda backend, name: program(*on(backend, name))
    raw_http = lambda port, _: [os.path.join(options.bin, "raw_epoll"), port, "http"]
    ping = b"x" * 64
    echoed = lambda received: len(received) >= len(ping)
    answered = lambda received: received.endswith(b"Hello, World!")
    echo = {"raw epoll": program("raw_epoll"), "eddy, epoll": eddy("epoll", "tcp_echo"),
            "eddy, io_uring": eddy("io_uring", "tcp_echo"), "Asio coroutines": program("asio_coro")}
    http = {"raw epoll": raw_http, "eddy, epoll": eddy("epoll", "http_hello"), "eddy, io_uring": eddy("io_uring", "http_hello"),
            "Beast coroutines": program("beast_http")}
    rows, totals = [], {}
    for what, peers, message, whole in (("an echoed message", echo, ping, echoed), ("an HTTP request", http, REQUEST, answered)):
        for connections in (1, 64):
            for name, command in peers.items():
                calls = count(command, connections, message, whole)
                totals[what, connections, name] = sum(calls.values())
                most = sorted(calls.items(), key=lambda item: -item[1])
                rows.append([what, connections, name, f"{sum(calls.values()):.2f}",
                             ", ".join(f"{call} {number:.2f}" for call, number in most if number >= 0.005)])
    text = (f"Calls for one of {COUNTED} exchanges on each connection, after {WARM_UP}; 64 connections send together. The least\n"
            "possible with readiness is 2, a receive and a send, and a wait: 3 with one connection; with completion the wait\n"
            "brings the bytes: 2, or 1 and the share of a wait.\n\n")
    text += table(["for", "connections", "server", "calls", "which"], rows)
    marks = []
    for what in ("an echoed message", "an HTTP request"):
        for backend, one, many in (("epoll", 3.0, 2.2), ("io_uring", 2.0, 1.2)):
            marks.append((f"{what}, 1 connection, {backend}: system calls", totals[what, 1, f"eddy, {backend}"], one + 0.05))
            marks.append((f"{what}, 64 connections, {backend}: system calls", totals[what, 64, f"eddy, {backend}"], many))
    return text, marks

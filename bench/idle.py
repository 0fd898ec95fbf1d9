# SPDX-License-Identifier: MIT
"""What a connection costs in user memory while nothing happens on it: the growth of the server's process, by /proc."""
import os
import re
import resource
import socket
import ssl
import time

WANTED = 10_000
LEAST = 1_000
SPARE = 100  # descriptors for everything else


def room():
    """How many connections this process may hold. Raises the soft limit to the hard one; servers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(WANTED, hard - SPARE) if hard != resource.RLIM_INFINITY else WANTED
    if count < LEAST:
        raise SystemExit(f"bench: idle needs {LEAST + SPARE} descriptors, the hard limit of this process is {hard}")
    return count


def private_kib(pid):
    """KiB of memory that is the process's own."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        text = file.read()
    return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.M))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def settled(pid, wanted):
    """Until the server has accepted that many; then its memory."""
    deadline = time.monotonic() + 60
    while descriptors(pid) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    if descriptors(pid) < wanted:
        raise SystemExit(f"bench: the server has accepted {descriptors(pid)} descriptors of {wanted}")
    time.sleep(0.5)
    return private_kib(pid)


def plain(port):
    return socket.create_connection(("127.0.0.1", port), 10)


def half_line(port):
    """A client that has sent the beginning of a line: its bytes wait in the reader."""
    connection = plain(port)
    connection.sendall(b"half a line")
    return connection


def kept_alive(port):
    connection = plain(port)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if b" 200 " not in connection.recv(4096):
        raise SystemExit("bench: the HTTP server did not answer 200")
    return connection


TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname, TRUSTING.verify_mode = False, ssl.CERT_NONE


def over_tls(port):
    return TRUSTING.wrap_socket(plain(port))


def bytes_each(server, connect, count):
    """The first tenth warms up what connections share."""
    pid = server.process.pid
    time.sleep(0.3)
    first = count // 10
    base = descriptors(pid)
    kept = [connect(server.port) for _ in range(first)]
    before = settled(pid, base + first)
    kept += [connect(server.port) for _ in range(count - first)]
    after = settled(pid, base + count)
    for connection in kept:
        connection.close()
    return (after - before) * 1024 / (count - first)

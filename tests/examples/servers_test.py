#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the examples that serve: starts each on a port of the system's choice, talks to it, ends it with Ctrl-C.

usage: servers_test.py FOLDER_OF_PROGRAMS NAME
"""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

FOLDER = sys.argv[1]
CERTIFICATE = os.path.join(tempfile.mkdtemp(), "certificate.pem")


def fetch(url, data=None):
    with urllib.request.urlopen(url, data, timeout=10) as response:
        return response.read()


class Example:
    def __init__(self, name, *words):
        # A shell in the background ignores SIGINT and hands that on; a user's terminal does not.
        self.process = subprocess.Popen(
            [os.path.join(FOLDER, name), *words], stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)$", line.strip())[1])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=10)
        if error[0] is None and status != 0:
            raise SystemExit(f"Ctrl-C ended it with status {status}")


def tcp_echo(server):
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        peer.sendall(b"hello " * 1000)
        peer.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: peer.recv(65536), b"")) == b"hello " * 1000


def tls_echo(server):  # the same program asks
    out = subprocess.run([os.path.join(FOLDER, "tls_echo"), "ask", str(server.port), CERTIFICATE], input="hello\nagain\n",
                         capture_output=True, text=True, timeout=10, check=True).stdout
    assert re.fullmatch(r"TLSv1.3, TLS_\w+\nhello\nagain\n", out), out


def http_hello(server):
    assert fetch(f"http://127.0.0.1:{server.port}/") == b"Hello, World!"


def http_echo(server):
    answer = json.loads(fetch(f"http://127.0.0.1:{server.port}/echo/a?b=c", b"body"))
    assert answer["method"] == "POST" and answer["target"] == "/echo/a?b=c", answer
    assert answer["body_len"] == 4 and answer["body_sha256"] == hashlib.sha256(b"body").hexdigest(), answer
    assert ["Host", f"127.0.0.1:{server.port}"] in answer["headers"], answer


def http_get(server):  # the client, against http_hello
    out = subprocess.run([os.path.join(FOLDER, "http_get"), f"http://127.0.0.1:{server.port}/"], capture_output=True,
                         text=True, timeout=10, check=True).stdout
    assert "Hello, World!" in out, out


def http_server(server):
    notes = f"http://127.0.0.1:{server.port}/notes"
    assert json.loads(fetch(notes, b'{"text":"buy milk"}')) == {"id": 1, "text": "buy milk"}
    assert json.loads(fetch(notes + "/1")) == {"id": 1, "text": "buy milk"}
    try:
        fetch(notes + "/2")
        raise SystemExit("note 2 was found")
    except urllib.error.HTTPError as error:
        assert error.code == 404 and json.load(error) == {"detail": "no note 2"}


def main():
    name = sys.argv[2]
    words = ["serve", "0", CERTIFICATE] if name == "tls_echo" else ["0"]
    with Example("http_hello" if name == "http_get" else name, *words) as server:
        globals()[name](server)
    shutil.rmtree(os.path.dirname(CERTIFICATE))
    print("ok")


main()

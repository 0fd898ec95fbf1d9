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
import threading
import urllib.error
import urllib.request

FOLDER = sys.argv[1]
CHAT_PATH = os.path.join(tempfile.mkdtemp(), "chat.sock")
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


def every_core(server):
    for _ in range(20):
        tcp_echo(server)


class Line:
    """A client of the chat: lines out, lines in."""
    def __init__(self, peer):
        self.peer, self.file = peer, peer.makefile("r")

    def say(self, text):
        self.peer.sendall((text + "\n").encode())

    def hear(self, expected):
        line = self.file.readline()
        assert line == expected + "\n", (line, expected)


def chat(server):
    assert server.process.stdout.readline() == f"listening on {CHAT_PATH}\n"
    assert os.stat(CHAT_PATH).st_mode & 0o777 == 0o600
    local = socket.socket(socket.AF_UNIX)
    local.connect(CHAT_PATH)
    ann, bob = Line(socket.create_connection(("127.0.0.1", server.port), 10)), Line(local)
    ann.say("ann")
    ann.hear("* here:")
    bob.say("bob")
    bob.hear("* here: ann")
    ann.hear("* bob came")
    ann.say("hello")
    bob.hear("ann: hello")
    thief = Line(socket.create_connection(("127.0.0.1", server.port), 10))
    thief.say("bob")
    thief.hear("* another name, please")
    many = [Line(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(100)]
    for number, one in enumerate(many):
        one.say(f"guest{number}")
        one.file.readline()  # who is here
    bob.say("welcome")
    for number, one in enumerate(many):
        for later in range(number + 1, len(many)):
            one.hear(f"* guest{later} came")
        one.hear("bob: welcome")
    many[0].peer.close()
    many[0].file.close()
    many[1].hear("* guest0 left")


def port_forwarder(server):
    def answer():  # a server that answers after its client's end of stream: it needs the half-close
        peer, _ = TARGET.accept()
        everything = b"".join(iter(lambda: peer.recv(65536), b""))
        peer.sendall(everything[::-1])
        peer.close()

    data = bytes(range(256)) * 20000
    for _ in range(2):
        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: peer.recv(65536), b"")) == data[::-1]
        thread.join()
    # Back-pressure: a target that does not read stops the client, soon.
    peer = socket.create_connection(("127.0.0.1", server.port), 10)
    slow, _ = TARGET.accept()
    peer.settimeout(1)
    sent = 0
    try:
        while sent < 200_000_000:
            sent += peer.send(data)
    except TimeoutError:
        pass
    assert sent < 100_000_000, sent
    peer.close()
    slow.close()


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
    global TARGET
    name = sys.argv[2]
    TARGET = socket.create_server(("127.0.0.1", 0))
    words = {"tls_echo": ["serve", "0", CERTIFICATE], "chat": ["0", CHAT_PATH],
             "port_forwarder": ["0", "127.0.0.1", str(TARGET.getsockname()[1])]}.get(name, ["0"])
    with Example("http_hello" if name == "http_get" else name, *words) as server:
        globals()[name](server)
    assert not os.path.exists(CHAT_PATH), "the chat left its socket"
    shutil.rmtree(os.path.dirname(CERTIFICATE))
    os.rmdir(os.path.dirname(CHAT_PATH))
    print("ok")


main()

# SPDX-License-Identifier: MIT
"""Measuring on a machine that is not quiet.

Two cores: the server is pinned to core 0, the generator to core 1. Peers take turns (A B C, A B C, …), a ratio
is taken inside one round or between the bests of all rounds. The best round repeats within a few per cent
where the median does not. A run during which strangers used more than NOISE of a core is repeated, and so is one before
or behind which the core itself was slow: others share its caches and its clock. The quietest is kept. Repeating and waiting
take REPEAT_SHARE of the time, and no more, so that a run ends on any machine.
"""
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time

NOISE = 0.08
SLOW = 0.2
ATTEMPTS = 4
REPEAT_SHARE = 0.08
BEGAN = time.monotonic()
TICKS = os.sysconf("SC_CLK_TCK")


def pinned(cores, command):
    return ["taskset", "-c", cores] + [str(word) for word in command]


def cpu_seconds(pid):
    """CPU time of every thread of a process."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def user_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rsplit(")", 1)[1].split()[11]) / TICKS


def busy_seconds():
    """CPU time that the whole machine has used."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def own_seconds():
    times = os.times()
    return times.children_user + times.children_system


class Slowness:
    """How much longer a fixed piece of work takes on core 0 than it took at best."""
    best = float("inf")

    @staticmethod
    def spin():
        began = time.perf_counter()
        for _ in range(50_000):
            pass
        return time.perf_counter() - began

    @classmethod
    def now(cls):
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        took = min(cls.spin() for _ in range(3))
        os.sched_setaffinity(0, cores)
        cls.best = min(cls.best, took)
        return took / cls.best - 1


class Patience:
    """What may still be spent on waiting and repeating: a share of the time since the program began."""
    spent = 0.0

    @classmethod
    def is_left(cls):
        return cls.spent < 20 + REPEAT_SHARE * (time.monotonic() - BEGAN)


def wait_for_quiet(patience=2):
    first = time.monotonic()
    while Patience.is_left() and time.monotonic() - first < patience:
        before, began = busy_seconds(), time.monotonic()
        time.sleep(0.1)
        elapsed = time.monotonic() - began
        strangers = (busy_seconds() - before) / elapsed
        if strangers < 0.15 and Slowness.now() < SLOW:  # /proc/stat counts in steps of 10 ms
            return
        Patience.spent += elapsed


def quietest(run):
    """Calls `run()`, which gives (result, CPU seconds of servers), until strangers were quiet; the best of them."""
    kept, least = None, None
    for attempt in range(ATTEMPTS):
        slow = Slowness.now()
        if attempt > 0 or slow >= SLOW:
            wait_for_quiet()
            slow = Slowness.now()
        busy, own, began = busy_seconds(), own_seconds(), time.monotonic()
        result, servers = run()
        elapsed = time.monotonic() - began
        strangers = (busy_seconds() - busy - (own_seconds() - own) - servers) / elapsed
        slow = max(slow, Slowness.now())
        if least is None or strangers + slow < least:
            kept, least = result, strangers + slow
        if attempt > 0:
            Patience.spent += elapsed
        if (strangers < NOISE and slow < SLOW) or not Patience.is_left():
            break
    return kept


def output_of(command, cores="0", timeout=120):
    done = subprocess.run(pinned(cores, command), capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise SystemExit(f"bench: {command[0]} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Server:
    """A server, on core 0 unless said otherwise. `command(port, directory)` gives its words."""

    def __init__(self, command, cores="0"):
        for _ in range(3):  # a stranger may take the port before the server does
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.directory = tempfile.TemporaryDirectory()
            self.process = subprocess.Popen(pinned(cores, command(self.port, self.directory.name)),
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._listens():
                return
            self.stop()
        raise SystemExit(f"bench: nobody answers on port {self.port}: {' '.join(self.process.args)}")

    def __str__(self):
        status = self.process.poll()
        return " ".join(self.process.args[3:]) + (" (runs)" if status is None else f" (ended with status {status})")

    def _listens(self):
        """True once it answers; false if it ends first, or is silent for 20 s."""
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                time.sleep(0.02)  # one that could not listen, while a stranger answers, has ended by then
                return self.process.poll() is None
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.directory.cleanup()


def on(backend, *words):
    """The words of a program of eddy's, on that back end."""
    return ["env", f"EDDY_BACKEND={backend}", *words]


def load(server, command, parse):
    """Runs a generator on core 1 against a server; `parse` gives its rate, total and latencies."""
    def once():
        cpu, user, began = cpu_seconds(server.process.pid), user_seconds(server.process.pid), time.monotonic()
        own = own_seconds()
        try:
            result = parse(output_of(command(server.port), cores="1"))
        except SystemExit as error:
            raise SystemExit(f"{error}\nagainst {server}") from error
        elapsed = time.monotonic() - began
        cpu = cpu_seconds(server.process.pid) - cpu
        result["cpu_us"] = cpu / result["total"] * 1e6
        result["user_us"] = (user_seconds(server.process.pid) - user) / result["total"] * 1e6
        result["server_busy"] = cpu / elapsed
        result["generator_busy"] = (own_seconds() - own) / elapsed
        return result, cpu
    return quietest(once)


def spread(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def number(value):
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks into a running program with `eddy ps`, `eddy pstree`, `eddy metrics`: look_inside_test.py EDDY SUBJECT"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

EDDY, SUBJECT = sys.argv[1:3]
SANITIZED = b"__asan_init" in open(SUBJECT, "rb").read() or b"__tsan_init" in open(SUBJECT, "rb").read()

TREE = """\
└── (T) main
    └──  calm look_inside_subject.cpp:N
        ├── (T) album
        │   └──  album look_inside_subject.cpp:N
        │       └──  task_group taskgroups.hpp:N
        │           ├── (T) song-1
        │           │   └──  play look_inside_subject.cpp:N
        │           │       └── waits for sleep, N left
        │           └── (T) song-2
        │               └──  play look_inside_subject.cpp:N
        │                   └── waits for sleep, N left
        ├── (T) holder
        │   └──  operator() look_inside_subject.cpp:N
        │       └── waits for sleep, N left
        ├── (T) wanter
        │   └──  operator() look_inside_subject.cpp:N
        │       └── waits for lock N, held by task 'holder' (operator(), made at look_inside_subject.cpp:N)
        └── (T) Task-N
            └──  coroutine_of tasks.hpp:N
                └── (T) Task-N
                    └──  play look_inside_subject.cpp:N
                        └── waits for sleep, N left
"""


def without_numbers(text):
    text = re.sub(r"0x[0-9a-f]+", "N", text)
    text = re.sub(r":\d+", ":N", text)
    text = re.sub(r"sleep, [\d.]+(us|ms|s) left", "sleep, N left", text)
    return re.sub(r"Task-\d+", "Task-N", text)


class Look(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="eddy-")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.folder.name)
        self.environment.pop("EDDY_DEBUG", None)
        self.children = []

    def tearDown(self):
        for child in self.children:
            child.kill()
            child.communicate()
        self.folder.cleanup()

    def start(self, *arguments, inspect="1", **environment):
        child = subprocess.Popen([SUBJECT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env=dict(self.environment, EDDY_INSPECT=inspect, **environment))
        self.children.append(child)
        self.assertEqual(child.stdout.readline(), "ready\n")
        return child

    def eddy(self, *arguments):
        done = subprocess.run([EDDY, *map(str, arguments)], capture_output=True, text=True, env=self.environment, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def test_tree_of_a_running_program(self):
        child = self.start("calm")
        status, out, err = self.eddy("pstree", child.pid)
        self.assertEqual((status, err), (0, ""))
        head, tree = out.split("\n", 1)
        self.assertRegex(head, rf"^loop 1, thread {child.pid}, epoll: 8 tasks, \d+ % busy$")
        self.assertEqual(without_numbers(tree), TREE)

    def test_table_json_and_metrics(self):
        child = self.start("calm")
        status, table, _ = self.eddy("ps", child.pid)
        self.assertEqual(status, 0)
        self.assertRegex(table, r"\n  ID +NAME +STATE +COROUTINE +MADE AT +WAITS FOR\n")
        self.assertRegex(table, r"\n  0x[0-9a-f]+ +song-1 +waiting  play +look_inside_subject.cpp:\d+ +sleep, 3599\.\d+s left\n")
        self.assertIn(" the tasks of its task group: song-1, song-2\n", table)
        status, text, _ = self.eddy("ps", child.pid, "--json")
        self.assertEqual(status, 0)
        whole = json.loads(text)
        self.assertEqual(whole["pid"], child.pid)
        tasks = {task["name"]: task for task in whole["loops"][0]["tasks"]}
        self.assertEqual(tasks["wanter"]["held_by"], tasks["holder"]["id"])
        self.assertEqual(set(tasks["album"]["awaits"]), {tasks["song-1"]["id"], tasks["song-2"]["id"]})
        self.assertEqual([frame["function"] for frame in tasks["album"]["frames"]], ["album", "task_group"])
        for arguments in (["ps", child.pid, "--metrics"], ["metrics", child.pid]):
            status, text, _ = self.eddy(*arguments)
            self.assertEqual(status, 0)
            self.assertIn('\neddy_tasks{loop="1"} 8\n', text)
            self.assertTrue(text.endswith("# EOF\n"))

    def test_processes_are_listed(self):
        status, out, _ = self.eddy("ps")
        self.assertEqual((status, out), (0, "no process of this user can be looked into; start one with EDDY_INSPECT=1\n"))
        child = self.start("calm")
        status, out, _ = self.eddy("pstree")
        self.assertEqual((status, out), (0, f"     PID  PROGRAM\n{child.pid:8}  look_inside_subject\n"))

    def test_a_circle_is_an_error(self):
        child = self.start("circle")
        status, out, err = self.eddy("pstree", child.pid)
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "eddy pstree: tasks wait for each other in a circle, so they are no tree\n  'a' -> 'b' -> 'a'\n")
        status, out, _ = self.eddy("ps", child.pid)
        self.assertEqual(status, 0)

    def test_errors_say_what_to_do(self):
        child = self.start("calm", inspect="0")
        socket = f"{self.folder.name}/eddy/{child.pid}.sock"
        status, out, err = self.eddy("ps", child.pid)
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, f"eddy ps: process {child.pid} (look_inside_subject) does not listen on '{socket}'; start it with "
                              "EDDY_INSPECT=1, or call eddy::inspect::serve() in it\n")
        status, _, err = self.eddy("ps", 2147483632)
        self.assertEqual((status, err), (1, "eddy ps: there is no process 2147483632\n"))
        self.assertEqual(self.eddy("ps", "x")[0], 2)
        self.assertEqual(self.eddy("ps", child.pid, "--json", "--metrics")[0], 2)

    def test_a_stopped_process_is_named_as_such(self):
        child = self.start("calm")
        child.send_signal(signal.SIGSTOP)
        status, _, err = self.eddy("ps", child.pid, "--timeout", 0.3, "--retries", 1)
        child.send_signal(signal.SIGCONT)
        self.assertEqual(status, 1)
        self.assertEqual(err, f"eddy ps: process {child.pid} did not answer in 300ms; is it stopped? 'gdb -p {child.pid}' and "
                              "eddy-gdb.py show a stopped one\n")

    def test_the_socket_goes_with_the_process(self):
        child = self.start("block", "1")
        child.wait()
        self.assertEqual(os.listdir(f"{self.folder.name}/eddy"), [])

    # DBG-I: a loop that is stuck cannot answer: its thread's stack can be had all the same.
    def test_a_stuck_loop_shows_its_native_stack(self):
        child = self.start("block", "3000")
        time.sleep(0.2)
        began = time.monotonic()
        status, out, err = self.eddy("ps", child.pid)
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, rf"^loop 1, thread {child.pid}, epoll: stuck\n  it has been in this step for \d+ ms: task 'request' "
                              r"\(handle_request, made at look_inside_subject.cpp:\d+\)\n    ")
        self.assertRegex(out, r"\n    \(anonymous namespace\)::compute\(.*\)\+0x")
        self.assertRegex(out, r"\n    \(anonymous namespace\)::handle_request\(.*\)\+0x")

    # MET-B, DBG-4
    def test_a_slow_step_is_reported_while_it_lasts(self):
        child = self.start("block", "600")
        began = time.monotonic()
        line = child.stderr.readline()
        self.assertRegex(line, rf"^eddy: task 'request' \(handle_request, made at look_inside_subject.cpp:\d+\) has blocked loop 1 "
                               rf"\(thread {child.pid}\) for \d+ ms$")
        self.assertLess(time.monotonic() - began, 0.6, "it was reported when it was over")
        rest = child.stderr.read()
        self.assertRegex(rest, r"    \(anonymous namespace\)::compute\(.*\)\+0x")
        self.assertRegex(rest, rf"\neddy: task 'request' \(handle_request, .*\) blocked loop 1 \(thread {child.pid}\) for about "
                               r"0\.[4-9]\d s in all\n")

    def test_debug_mode_says_exactly_how_long_it_took(self):
        child = self.start("block", "300", inspect="0", EDDY_DEBUG="1")
        _, text = child.communicate()
        self.assertRegex(text, r"has blocked loop 1 \(thread \d+\) for 1\d\d ms\n")
        self.assertRegex(text, r"eddy: executing task 'request' .*took 0\.3\d\d seconds\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gdb script, on a stopped process, on its core, and without debug information: gdb_test.py SCRIPT SUBJECT

Fails where gdb is absent; skips, with a word, where it may not attach.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT, SUBJECT = sys.argv[1:3]

TREE = """\
└── (T) main
    └──  calm look_inside_subject.cpp:N
        ├── (T) album
        │   └──  album look_inside_subject.cpp:N
        │       └──  task_group taskgroups.hpp:N
        │           ├── (T) song-1
        │           │   └──  play look_inside_subject.cpp:N
        │           │       └── waits for sleep until N s of the monotonic clock
        │           └── (T) song-2
        │               └──  play look_inside_subject.cpp:N
        │                   └── waits for sleep until N s of the monotonic clock
        ├── (T) holder
        │   └──  operator() look_inside_subject.cpp:N
        │       └── waits for sleep until N s of the monotonic clock
        ├── (T) wanter
        │   └──  operator() look_inside_subject.cpp:N
        │       └── waits for lock N, held by task N
        └── (T) N
            └──  coroutine_of tasks.hpp:N
                └── (T) N
                    └──  play look_inside_subject.cpp:N
                        └── waits for sleep until N s of the monotonic clock
"""


def without_numbers(text):
    text = re.sub(r"0x[0-9a-f]+", "N", text)
    return re.sub(r"(?<=:)\d+|\d+\.\d{3}(?= s of)", "N", text)


class Gdb(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="eddy-")

    def tearDown(self):
        self.folder.cleanup()

    def gdb(self, *arguments):
        done = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", *arguments], capture_output=True,
                              text=True, timeout=100)
        return done.stdout, done.stderr

    def start(self, program):
        child = subprocess.Popen([program, "calm"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        self.assertEqual(child.stdout.readline(), "ready\n")
        return child

    def check_tree(self, out):
        found = re.search(r"loop 1, thread \d+: 8 tasks\n((?:└| ).*\n)+", out)
        self.assertTrue(found, out)
        self.assertEqual(without_numbers(found[0].split("\n", 1)[1]), TREE)

    def test_a_stopped_process_and_its_core(self):
        child = self.start(SUBJECT)
        core = f"{self.folder.name}/core"
        out, err = self.gdb("-p", str(child.pid), "-ex", f"source {SCRIPT}", "-ex", "eddy pstree", "-ex", "eddy ps",
                            "-ex", f"generate-core-file {core}")
        if "ptrace" in err:
            self.skipTest("gdb may not attach here: " + err.splitlines()[0])
        self.check_tree(out)
        self.assertRegex(out, r"\n  0x[0-9a-f]+ +song-1 +waiting +play +look_inside_subject.cpp:\d+ +sleep until")
        child.kill()
        out, _ = self.gdb(SUBJECT, core, "-ex", f"source {SCRIPT}", "-ex", "eddy pstree")
        self.check_tree(out)

    def test_a_program_without_debug_information(self):
        bare = f"{self.folder.name}/bare"
        subprocess.run(["strip", "--strip-debug", "-o", bare, SUBJECT], check=True)
        child = self.start(bare)
        out, err = self.gdb("-p", str(child.pid), "-ex", f"source {SCRIPT}", "-ex", "eddy pstree")
        if "ptrace" in err:
            self.skipTest("gdb may not attach here: " + err.splitlines()[0])
        self.check_tree(out)

    def test_errors_say_why(self):
        out, err = self.gdb("/bin/true", "-ex", f"source {SCRIPT}", "-ex", "eddy ps")
        self.assertIn("eddy: there is no symbol eddy_debugger_table: the program does not use eddy, or was stripped", out + err)
        out, err = self.gdb(SUBJECT, "-ex", f"source {SCRIPT}", "-ex", "eddy ps")
        self.assertIn("eddy: the program has not made an event loop yet, or its eddy is of another version", out + err)


if __name__ == "__main__":
    if not shutil.which("gdb"):
        sys.exit("gdb_test: gdb is not installed; ./dev setup test installs it")
    unittest.main(argv=sys.argv[:1])

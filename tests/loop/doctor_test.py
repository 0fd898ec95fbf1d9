#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doctor_test.py EDDY WITHOUT_IO_URING: what `eddy doctor` says with io_uring, and without."""
import os
import re
import resource
import subprocess
import sys
import unittest

EDDY, WITHOUT = sys.argv[1:3]
USABLE = (r"  io_uring     yes\n\nio_uring\n"
          r"  yes multishot receive into a ring of provided buffers: one request a connection; idle ones hold no buffer\n"
          r"  (yes|no ) deferred task work \(Linux 6\.1\): completions are made when the loop asks for them\n"
          r"  (yes|no ) incremental buffers \(Linux 6\.12\): a small message takes a small part of a buffer\n"
          r"  (yes|no ) zero-copy send \(Linux 6\.0\): not used: see docs/reference/backends\.md\n")


def doctor(*before, **environment):
    variables = {name: value for name, value in os.environ.items() if name != "EDDY_BACKEND"}
    done = subprocess.run([*before, EDDY, "doctor"], capture_output=True, text=True, env={**variables, **environment})
    return done.stdout, done.stderr, done.returncode


def without(error, **environment):
    return doctor(WITHOUT, error, **environment)


class Doctor(unittest.TestCase):
    def test_says_all(self):
        out, err, status = doctor()
        expected = (r"eddy           [\d.]+\nkernel         Linux \S+\ndescriptors    .+\n"
                    r"names          (c-ares [\d.]+ on the loop: .+; asks .+|the system's getaddrinfo\(\) on threads: .+)\n"
                    r"\nback ends\n"
                    r"  epoll        yes\n  poll         yes\n  select       yes, for descriptors below 1024\n"
                    r"(" + USABLE + r"|  io_uring     no: .+\n)"
                    r"\nEDDY_BACKEND   not set\na loop gets    epoll: the default\n")
        self.assertRegex(out, "^" + expected + "$")
        self.assertEqual((err, status), ("", 0))

    def test_names_the_release_of_the_kernel(self):
        self.assertIn(f"kernel         Linux {os.uname().release}\n", doctor()[0])

    def test_a_seccomp_filter_is_a_reason(self):
        out, err, status = without("EPERM")
        self.assertIn("  io_uring     no: io_uring_setup is not permitted here: a seccomp filter, as in most containers, or a "
                      "security module; to change that: allow io_uring_setup, io_uring_enter and io_uring_register in the "
                      "filter\n\nEDDY_BACKEND   not set\n", out)
        self.assertEqual((err, status), ("", 0))

    def test_a_kernel_without_it_is_a_reason(self):
        self.assertIn(f"  io_uring     no: Linux {os.uname().release} has no io_uring, or a seccomp filter hides it; to change "
                      "that: run on Linux 6.0 or newer, and allow the io_uring calls in the filter\n", without("ENOSYS")[0])

    def test_no_memory_to_lock_is_a_reason(self):
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        text = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit // 1024} KiB"
        self.assertIn(f"  io_uring     no: io_uring_setup found no memory; RLIMIT_MEMLOCK is {text}; to change that: raise the "
                      "limit with ulimit -l\n", without("ENOMEM")[0])

    def test_says_whether_the_wanted_one_can_be_used(self):
        out, err, status = without("EPERM", EDDY_BACKEND="io_uring")
        self.assertIn("\nEDDY_BACKEND   io_uring\na loop gets    io_uring: EDDY_BACKEND asks for it\n", out)
        self.assertEqual((err, status), ("eddy doctor: the back end that EDDY_BACKEND asks for cannot be used\n", 1))
        self.assertEqual(doctor(EDDY_BACKEND="poll")[1:], ("", 0))

    def test_refuses_a_back_end_that_there_is_not(self):
        out, err, status = doctor(EDDY_BACKEND="kqueue")
        self.assertTrue(out.startswith("eddy  "))
        self.assertEqual((err, status), ("eddy doctor: EDDY_BACKEND is 'kqueue': it must be epoll, poll, select, io_uring or "
                                         "simulated\n", 1))

    def test_a_loop_that_asks_for_io_uring_is_told_the_reason_and_a_way_out(self):
        done = subprocess.run([WITHOUT, "EPERM", EDDY, "serve", ".", "--port", "0"], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "EDDY_BACKEND": "io_uring"})
        self.assertEqual((done.stdout, done.returncode), ("", 1))
        self.assertEqual(done.stderr.splitlines(keepends=True)[-1], "eddy: the io_uring back end cannot be used: io_uring_setup is not permitted here: a seccomp "
                                                                    "filter, as in most containers, or a security module; choose epoll\n")

    def test_says_how_to_raise_the_limit_of_descriptors(self):
        done = subprocess.run([EDDY, "doctor"], capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256)))
        self.assertTrue(re.search(r"^descriptors    128; 'ulimit -n 256' would give more$", done.stdout, re.M), done.stdout)


unittest.main(argv=sys.argv[:1])

// SPDX-License-Identifier: MIT
// Rows of the tables for which eddy has no program yet, and why.
#include "seed.hpp"

NO_SEED("AIO-15", "high-level and low-level API", "the low-level half, transports and protocols, is not there yet");
NO_SEED("SYN-15", "primitives refuse other threads", "debug mode checks the loop's calls, not each primitive's");
NO_SEED("SYN-19", "subprocess: shell, pipes, communicate", "eddy has no subprocesses in this version");
NO_SEED("SYN-20", "a crawler under Semaphore(3)", "it needs a web server: examples/crawler.cpp is its like");
NO_SEED("EXE-09", "CPU work: threads against coroutines",
        "a question of speed, for a quiet machine with many cores");

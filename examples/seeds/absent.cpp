// SPDX-License-Identifier: MIT
// Rows of the tables for which eddy has no program yet, and why.
#include "seed.hpp"

NO_SEED("AIO-15", "high-level and low-level API",
        "there is one umbrella header, eddy/eddy.hpp, and no eddy/lowlevel.hpp");
NO_SEED("AIO-47", "wrap_future",
        "eddy has no wrap_future(); jobs of a pool are awaited with run_in_executor()");
NO_SEED("AIO-54", "iscoroutine, iscoroutinefunction", "eddy has no public traits for them");
NO_SEED("SYN-15", "primitives refuse other threads", "no debug mode that checks the thread");
NO_SEED("SYN-19", "subprocess: shell, pipes, communicate", "eddy has no subprocesses in this version");
NO_SEED("SYN-20", "a crawler under Semaphore(3)", "it needs a web server: examples/crawler.cpp is its like");
NO_SEED("EXE-07", "ProcessPoolExecutor: map in order", "eddy has no process pool in this version");
NO_SEED("EXE-09", "CPU work: threads against coroutines",
        "a question of speed, for a quiet machine with many cores");

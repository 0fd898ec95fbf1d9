// SPDX-License-Identifier: MIT
// Rows of the tables for which eddy has no program yet, and why.
#include "seed.hpp"

NO_SEED("EXE-09", "CPU work: threads against coroutines", "a question of speed: `./dev bench workers` measures it");
NO_SEED("IO-01", "kernel mode, user mode, the two phases of a read", "a page, docs/io-models.md, and a program for each model in examples/io_models");
NO_SEED("IO-04", "model 3: multiplexing", "the rows of select, poll, epoll and selectors show it: IO-07 to IO-19");
NO_SEED("IO-09", "what select costs with idle descriptors", "a measurement: ./dev bench selectors; its bound is in IO-07");
NO_SEED("IO-15", "epoll is not always faster than select", "a measurement: ./dev bench selectors");
NO_SEED("IO-24", "synchronous, blocking, concurrent, parallel", "words: docs/io-models.md");

// SPDX-License-Identifier: MIT
// Rows of the tables for which eddy has no program yet, and why.
#include "seed.hpp"

NO_SEED("EXE-09", "CPU work: threads against coroutines", "a question of speed: `./dev bench workers` measures it");

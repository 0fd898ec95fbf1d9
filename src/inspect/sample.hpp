// SPDX-License-Identifier: MIT
// One look at a loop's thread in the middle of a step, from another thread.
//
// Nothing of the loop may be read from outside while a step runs: it may change or go at any instruction. So
// the thread is interrupted by a signal, and its own handler copies what it stands at into memory of the one
// who asks: its native stack, and the name and origin of the task that it runs.
//
// The handler is async-signal-safe: it allocates nothing, takes no lock, and calls backtrace() (see
// NativeStack), sem_post() and nothing else. A system call that the step blocks in is interrupted: those that
// SA_RESTART does not cover (sleep, poll, select, a recv() with a timeout …) return early with EINTR.
#pragma once

#include <eddy/clock.hpp>
#include <optional>
#include <string>
#include <vector>

#include "loop/loop.hpp"

namespace eddy::detail {

struct StepSample {
  std::string task;                // "'Task-3' (fetch, made at main.cpp:12)"; "" if no task runs
  std::vector<std::string> stack;  // native
};

/// Looks at the thread that runs `loop`. Nothing if it takes no signals, runs another loop by now, or has
/// gone on since `progress`. The caller keeps the loop alive: it holds a LoopsLock.
std::optional<StepSample> sample_step(const Loop& loop, std::uint64_t progress);

/// Installs the handler. Called once before the first sample; by serve() and debug mode.
void prepare_sampling();

}  // namespace eddy::detail

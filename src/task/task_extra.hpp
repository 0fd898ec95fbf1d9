// SPDX-License-Identifier: MIT
// What few tasks have: kept apart, so that a task is 128 bytes.
#pragma once

#include <eddy/coro.hpp>
#include <eddy/detail/task_core.hpp>

#include <exception>
#include <string>

namespace eddy::detail {

struct TaskExtra {
  std::string name;
  std::exception_ptr cancel_message;
  std::exception_ptr failure;  // thrown at the next step instead of a CancelledError: fail_everywhere() of testing
  // Where the task was made and what it ran, once a failure has outlived its coroutine.
  const char* function = nullptr;
  const char* file = nullptr;
  int line = 0;
};

static_assert(sizeof(TaskCore) == 128, "a task is two cache lines");

TaskExtra& extra_of(TaskCore& task) noexcept;
const std::string& name_of(TaskCore& task);
void remember_origin(TaskCore& task, const PromiseBase& promise) noexcept;
[[noreturn]] void die_suspended_on_nothing(const TaskCore& task) noexcept;

/// While it lives, coroutines that are destroyed unstarted are not reported: their owner was cancelled.
struct QuietDestruction {
  QuietDestruction() noexcept;
  ~QuietDestruction();
};

}  // namespace eddy::detail

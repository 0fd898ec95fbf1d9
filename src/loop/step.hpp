// SPDX-License-Identifier: MIT
// One step of a task, for those who run them: the loop, and a task that starts another eagerly.
#pragma once

#include <eddy/detail/task_core.hpp>

#include <coroutine>
#include <utility>

namespace eddy::detail {

[[noreturn, gnu::cold]] void die_suspended_on_nothing(const TaskCore& task) noexcept;

// A task that suspends stays the running one until the loop runs something else.
[[gnu::always_inline]] inline void TaskCore::resume() noexcept {
  this_thread.task = this;
  std::exchange(resume_point, nullptr).resume();
  if (flags & (kContinue | kMustCancel)) [[unlikely]] go_on();
  if (resume_point) [[likely]] return;
  this_thread.task = nullptr;
  if (!std::coroutine_handle<>::from_address(root).done()) [[unlikely]] die_suspended_on_nothing(*this);
  FutureCore::ops->collect(*this);
}

inline void TaskCore::run_step() noexcept {
  if (started()) resume();
  else start();
}

inline void TaskCore::start() noexcept {
  if (flags & kMustCancel) [[unlikely]] return end_unstarted();
  run = &TaskCore::step;
  resume();
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// One step of a task, for those who run them: the loop, and a task that starts another eagerly.
#pragma once

#include <eddy/detail/task_core.hpp>

#include <coroutine>
#include <utility>

namespace eddy::detail {

[[noreturn, gnu::cold]] void die_suspended_on_nothing(const TaskCore& task) noexcept;

[[gnu::always_inline]] inline void TaskCore::resume() noexcept {
  this_thread.task = this;
  for (;;) {
    std::exchange(resume_point, nullptr).resume();
    if (!(flags & kContinue)) [[likely]] break;
    flags &= static_cast<std::uint8_t>(~kContinue);
  }
  this_thread.task = nullptr;

  if (resume_point) [[likely]] {
    // It asked for its own cancellation before it came to wait.
    if ((flags & (kMustCancel | kWaiting)) == (kMustCancel | kWaiting)) [[unlikely]] {
      if (WaitNode::ops->cancel(*this) == CancelResult::accepted) flags &= static_cast<std::uint8_t>(~kMustCancel);
    }
    return;
  }
  if (!std::coroutine_handle<>::from_address(root).done()) [[unlikely]] die_suspended_on_nothing(*this);
  FutureCore::ops->collect(*this);
}

inline void TaskCore::run_step() noexcept {
  if (!(flags & kStarted)) [[unlikely]] {
    if (flags & kMustCancel) [[unlikely]] return end_unstarted();
    flags |= kStarted;
  }
  resume();
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// The usual answers of a wait that nothing else owns.
#pragma once

#include <eddy/detail/task_core.hpp>

namespace eddy::detail {

/// Cancels at once. The task stays in its list until it has run.
inline CancelResult cancel_at_once(TaskCore& task) noexcept {
  task.wake_cancelled();
  return CancelResult::accepted;
}

/// For waits that stand in a List.
inline void detach_listed(TaskCore& task) noexcept {
  if (task.WaitNode::is_linked()) task.WaitNode::unlink();
}

/// For waits that stand in no list: whoever would wake the task goes with the task's frames.
inline void detach_nothing(TaskCore&) noexcept {}

}  // namespace eddy::detail

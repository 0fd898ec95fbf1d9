// SPDX-License-Identifier: MIT
// What few tasks have: kept apart, so that a task is 120 bytes.
#pragma once

#include <eddy/coro.hpp>
#include <eddy/detail/context.hpp>
#include <eddy/detail/task_core.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/native_stack.hpp"

namespace eddy {
class Context;
}

namespace eddy::detail {

struct ScopeCore;

/// A task's place in its innermost cancel scope.
struct ScopeMember : ListNode {
  ScopeMember() = default;
  ScopeMember(const ScopeMember&) = delete;
  ~ScopeMember() {
    if (is_linked()) unlink();
  }
  TaskCore* task = nullptr;
  ScopeCore* scope = nullptr;
};

/// A coroutine that an exception left, and the line of the await at which it stood.
struct UnwoundFrame {
  const char* function;
  const char* file;
  std::uint32_t line;
};

struct TaskExtra {
  std::string name;  // changed under a NameChange alone
  std::unique_ptr<NativeStack> made_by;  // in debug mode: the stack of who made the task
  std::exception_ptr cancel_message;
  ContextRef context;
  ScopeMember scope;
  bool level_cancel = false;  // kMustCancel is set by a cancelled scope, not by a cancel()
  std::exception_ptr failure;  // thrown at the next step instead of a CancelledError: fail_everywhere() of testing
  // The way of the last exception through the task's coroutines, innermost first; and which one it was.
  std::vector<UnwoundFrame> unwound;
  const void* unwound_by = nullptr;
  const void* unwinding_to = nullptr;  // the coroutine that awaits the last of them
  // Where the task was made and what it ran, once a failure has outlived its coroutine.
  const char* function = nullptr;
  const char* file = nullptr;
  int line = 0;
};

static_assert(sizeof(TaskCore) == 120, "with malloc's word in front, a task is two cache lines");

/// A place in the source.
struct SourceLine {
  const char* function = nullptr;  // null: not known
  const char* file = "";
  int line = 0;
};
/// A task's coroutine and where the task was made.
SourceLine origin_of(const TaskCore& task) noexcept;
/// "waiting", "ready", "running", "finished", "failed", "cancelled".
const char* state_of(const TaskCore& task) noexcept;
/// Its suspended coroutines, outermost first; of a running task the outermost alone.
std::vector<SourceLine> frames_of(const TaskCore& task);

TaskExtra& extra_of(TaskCore& task) noexcept;
void give_context(TaskCore& task, const Context& context);
const std::string& name_of(TaskCore& task);
/// If the task stands in a cancelled scope, its next wait throws.
void rearm_level_cancel(TaskCore& task) noexcept;
/// Takes that back.
void drop_level_cancel(TaskCore& task) noexcept;
void remember_origin(TaskCore& task, const PromiseBase& promise) noexcept;

/// While it lives, a signal handler on this thread does not look at names.
struct NameChange {
  NameChange() noexcept;
  NameChange(const NameChange&) = delete;
  ~NameChange();
  static bool is_under_way() noexcept;
};

/// While it lives, coroutines that are destroyed unstarted are not reported: their owner was cancelled.
struct QuietDestruction {
  QuietDestruction() noexcept;
  ~QuietDestruction();
};

}  // namespace eddy::detail

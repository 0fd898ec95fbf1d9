// SPDX-License-Identifier: MIT
// Which context code runs in (for contextvars.hpp, callback.hpp, tasks.hpp).
//
// A task's context hangs on the task and is looked up through it, so that a step switches nothing. Outside
// of tasks it is the thread's: a callback's while one runs. Null stands for an empty context that nobody has
// asked for yet: what never uses a context variable pays one test where a task or a callback is made.
#pragma once

#include <eddy/detail/task_core.hpp>
#include <utility>

namespace eddy::detail {

/// A reference to an immutable map, replaced when a variable is set. Counted atomically: contexts follow
/// jobs to other threads.
struct ContextCore;
void retain_context(ContextCore& context) noexcept;
void release_context(ContextCore& context) noexcept;

/// Whether something may be set in the context in which this code runs.
inline bool has_context() noexcept {
  const TaskCore* task = this_thread.task;
  return task ? task->extra != nullptr : this_thread.context != nullptr;
}
/// A copy of that context; null if nothing is set in it.
ContextCore* copy_current_context();
inline ContextCore* captured_context() {
  if (has_context()) [[unlikely]] return copy_current_context();
  return nullptr;
}
/// Gives a new task a copy of the current context.
void inherit_context(TaskCore& task);

/// One counted reference.
class ContextRef {
 public:
  explicit ContextRef(ContextCore* core = nullptr) noexcept : core_(core) {}  // takes it over
  ContextRef(ContextRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ContextRef(const ContextRef& other) noexcept : core_(other.core_) {
    if (core_) retain_context(*core_);
  }
  ContextRef& operator=(ContextRef other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~ContextRef() {
    if (core_) release_context(*core_);
  }
  ContextCore*& get() noexcept { return core_; }

 private:
  ContextCore* core_;
};

/// Runs a callback's code in the callback's context: what it sets stays there. Not for tasks' steps.
class ContextEntry {
 public:
  explicit ContextEntry(ContextRef& context) noexcept
      : context_(context), outer_(std::exchange(this_thread.context, context.get())) {}
  ContextEntry(const ContextEntry&) = delete;
  ContextEntry& operator=(const ContextEntry&) = delete;
  ~ContextEntry() { context_.get() = std::exchange(this_thread.context, outer_); }

 private:
  ContextRef& context_;
  ContextCore* outer_;
};

/// A callable that runs in the context in which it was made: a job for another thread.
template <class F>
class InContext {
 public:
  explicit InContext(F function) : function_(std::move(function)), context_(captured_context()) {}
  decltype(auto) operator()() {
    const ContextEntry entry(context_);
    return function_();
  }
  const F& function() const noexcept { return function_; }

 private:
  F function_;
  ContextRef context_;
};

}  // namespace eddy::detail

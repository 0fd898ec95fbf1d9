// SPDX-License-Identifier: MIT
// Cancel scopes and the tasks in them (for scopes.hpp and taskgroups.hpp).
//
// A scope's cancellation is a level, not an edge: as long as a task stands in a cancelled scope, each of its
// waits throws. The level lives where cancellations are delivered: taking one arms the next, and nothing is
// posted again and again. A task that awaits what cannot be cancelled, the end of a group's tasks, sleeps.
#pragma once

#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/list.hpp>
#include <eddy/detail/task_core.hpp>

namespace eddy::detail {

struct ScopeLink : ListNode {};

/// One cancel scope. It stands on its parent's list, the tasks for which it is the innermost on its own.
struct ScopeCore : WaitNode, ScopeLink {
  ScopeCore() noexcept;
  ScopeCore(const ScopeCore&) = delete;
  ScopeCore& operator=(const ScopeCore&) = delete;
  ~ScopeCore();

  /// The running task enters. Throws RuntimeError if it was entered before.
  void enter();
  /// It leaves. True: its body was ended by this scope's cancellation, which ends here.
  bool exit(bool cancelled) noexcept;
  void cancel() noexcept;
  void set_deadline(std::int64_t moment);
  void set_shield(bool on) noexcept;

  List tasks;     // ScopeMember
  List children;  // ScopeLink
  ScopeCore* parent = nullptr;
  TaskCore* task = nullptr;  // that entered it; null before and after
  std::int64_t limit = Duration::max().count();     // ns from the entry on
  std::int64_t deadline = Duration::max().count();  // on the loop's clock
  std::uint16_t cancelling = 0;                     // the task's count on entry
  bool shield = false;
  bool cancel_called = false;
  bool cancelled_caught = false;
  bool used = false;

 private:
  void arm();
  void disarm() noexcept;
  void deliver() noexcept;
  static void expire(WaitNode& timer) noexcept;
};

/// The innermost scope of a task, or null.
ScopeCore* scope_of(const TaskCore& task) noexcept;
/// A task that was made in a group belongs to the scope in which the group was opened.
void join_scope(TaskCore& task, ScopeCore& scope);
/// Whether a task that stands in it is being cancelled, by it or by one around it.
bool effectively_cancelled(const ScopeCore* scope) noexcept;

}  // namespace eddy::detail

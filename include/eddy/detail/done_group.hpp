// SPDX-License-Identifier: MIT
// One task that waits for several futures (for gather.hpp, wait.hpp, as_completed.hpp).
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/detail/task_core.hpp>
#include <exception>
#include <utility>

namespace eddy::detail {

/// Counts the ends of its members and wakes the task that awaits it, as asyncio does: a member's end is a
/// callback in the ready queue, which wakes the task, which runs on the turn after. A value that cannot end the
/// group is counted without one.
///
/// Counted: the awaiter holds one reference, each member that has not been heard of one more, because a
/// callback in the ready queue cannot be called back.
class DoneGroup {
 public:
  enum class Until : unsigned char {
    first_done,
    first_exception,  // a cancelled member is not one
    first_failure,    // a cancelled member is one: gather()
    all_done,
  };

  /// `owning`: of a gather().
  DoneGroup(std::size_t members, Until until, bool owning);

  /// Members are added in order, before wait().
  void add(FutureCore& member) noexcept;

  /// Suspends the task until the group ends, or `timeout` is over.
  void wait(TaskCore& task, std::coroutine_handle<> where, Duration timeout);
  /// The same for gather(): a cancellation goes to the members, and members that are done count at once.
  /// False: with them the group has ended, the task does not suspend.
  bool wait_owning(TaskCore& task, std::coroutine_handle<> where);

  /// After the await: throws CancelledError if the waiting task was cancelled; stops listening.
  void finish_wait();
  /// What ended a first_failure group early, or null. It is marked as seen.
  const std::exception_ptr& failure() const noexcept { return failure_; }

  /// The awaiter is gone. Members that end later are no longer heard of; a failing one counts as seen if
  /// the group was a gather.
  void leave() noexcept;

 private:
  struct Member final : DoneNode {
    Member() noexcept : DoneNode(kMemberOps) {}
    DoneGroup* group = nullptr;
  };
  ~DoneGroup() { delete[] members_; }

  void member_done(FutureCore& member) noexcept;
  void end() noexcept;
  void release() noexcept {
    if (--references_ == 0) delete this;
  }
  static void run_member(ReadyNode& node, Dispatch how) noexcept;
  static void drop_member(DoneNode& node) noexcept;
  static bool wants_member_call(DoneNode& node, FutureState how) noexcept;

  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void detach_wait(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static void visit_members(const TaskCore& task, AwaitVisitor& visitor);
  static const WaitOps kOps;
  static const DoneOps kMemberOps;

  struct Timer;
  friend struct Timer;
  friend struct DebuggerLayout;
  void stop_timer() noexcept;

  Member* const members_;  // an array
  std::size_t added_ = 0;
  std::size_t done_before_ = 0;  // when they were added to an owning group: their nodes are linked nowhere
  std::size_t pending_ = 0;  // not heard of
  std::size_t queued_ = 0;   // of those, with a callback in the ready queue
  std::size_t references_ = 1;
  TaskCore* waiter_ = nullptr;
  Timer* timer_ = nullptr;
  std::exception_ptr failure_;
  std::exception_ptr cancel_message_;  // of the last cancellation that went to the members
  Until until_;
  bool owning_;
  bool cancel_requested_ = false;
  bool failure_is_cancellation_ = false;
  bool ended_ = false;
};

/// Awaits any futures and tasks: `co_await DoneWait(DoneGroup::Until::first_done, a.core(), b.core())`. Never
/// throws what they throw, never cancels them.
class [[nodiscard("co_await it")]] DoneWait {
 public:
  template <class... Core>
  explicit DoneWait(DoneGroup::Until until, Core&... members) : group_(new DoneGroup(sizeof...(members), until, false)) {
    (group_->add(members), ...);
  }
  /// Of a range of handles.
  template <class Handles>
  static DoneWait of(DoneGroup::Until until, const Handles& handles) {
    DoneWait wait(new DoneGroup(handles.size(), until, false));
    for (const auto& handle : handles) wait.group_->add(handle.core());
    return wait;
  }
  DoneWait(DoneWait&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
  ~DoneWait() {
    if (group_) group_->leave();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where) { group_->wait(current_task_core(), where, Duration::max()); }
  void await_resume() { group_->finish_wait(); }

 private:
  explicit DoneWait(DoneGroup* group) noexcept : group_(group) {}
  DoneGroup* group_;
};

}  // namespace eddy::detail

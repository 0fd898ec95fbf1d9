// SPDX-License-Identifier: MIT
// One task that waits for several futures (for gather.hpp, wait.hpp, as_completed.hpp).
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/detail/task_core.hpp>
#include <exception>
#include <memory>

namespace eddy::detail {

/// Counts the ends of its members and wakes the task that awaits it, as asyncio does: a member's end is a
/// callback in the ready queue, which wakes the task, which runs on the turn after.
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
  struct Member : DoneNode {
    DoneGroup* group = nullptr;
    bool was_done = false;  // when it was added to an owning group
  };
  ~DoneGroup() = default;

  void member_done(FutureCore& member) noexcept;
  void end() noexcept;
  void release() noexcept {
    if (--references_ == 0) delete this;
  }
  static void run_member(ReadyNode& node, Dispatch how) noexcept;
  static void drop_member(DoneNode& node) noexcept;

  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void detach_wait(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kOps;

  struct Timer;
  friend struct Timer;
  void stop_timer() noexcept;

  std::unique_ptr<Member[]> members_;
  std::size_t added_ = 0;
  std::size_t pending_ = 0;
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

}  // namespace eddy::detail

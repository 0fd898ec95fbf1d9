// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/taskgroups.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/debugger_layout.hpp"
#include "task/plain_wait.hpp"

namespace eddy {

using detail::TaskCore;

struct MemberLink : detail::ListNode {};

struct TaskGroup::Member final : detail::DoneNode, MemberLink, detail::Pooled {
  TaskGroup* group = nullptr;
  detail::TaskCore* task = nullptr;

  Member() noexcept : DoneNode(kOps) {}
  static Member& of(detail::ListNode& node) noexcept {
    return static_cast<Member&>(static_cast<MemberLink&>(node));
  }
  static void call(detail::ReadyNode& node, detail::Dispatch how) noexcept {
    auto* self = static_cast<Member*>(&node);
    if (self->group) {
      self->MemberLink::unlink();
      --self->group->members_;
      if (how == detail::Dispatch::run) self->group->member_done(*self->target);
    }
    self->target->release();
    delete self;
  }
  static void dropped(detail::DoneNode& node) noexcept {
    auto* self = static_cast<Member*>(&node);
    if (self->group) {
      self->MemberLink::unlink();
      --self->group->members_;
    }
    delete self;
  }
  static constexpr detail::DoneOps kOps{&call, &dropped};
};

TaskGroup::TaskGroup() : parent_(current_task()), scope_(detail::scope_of(parent_.core())), cancelling_at_entry_(parent_.cancelling()) {}

// Only a group that was abandoned with its loop still has members here.
TaskGroup::~TaskGroup() {
  while (!watched_.empty()) {
    auto& member = Member::of(*watched_.front());
    member.MemberLink::unlink();
    member.group = nullptr;
  }
}

namespace detail {

Coro<> await_end(FutureCore& future) {
  std::exception_ptr cancellation;
  while (!future.done()) {
    try {
      co_await DoneWait(DoneGroup::Until::all_done, future);
    } catch (const CancelledError&) {
      cancellation = std::current_exception();
    }
  }
  if (cancellation) std::rethrow_exception(cancellation);
}

void throw_no_body_value() {
  throw RuntimeError("the task group was cancelled before its body gave a value");
}
void throw_not_started() { throw RuntimeError("the task ended without having called started()"); }
void throw_started_twice() { throw RuntimeError("started() was called before: a task starts once"); }

}  // namespace detail

void TaskGroup::refuse_if_over() {
  if (exiting_ && members_ == 0) throw RuntimeError("the task group is finished: it takes no new tasks");
  if (aborting_) throw RuntimeError("the task group is shutting down: it takes no new tasks");
}

void TaskGroup::watch(detail::TaskCore& task) {
  if (scope_) detail::join_scope(task, *scope_);
  auto* member = new Member;
  member->group = this;
  member->task = &task;
  watched_.push_back(static_cast<MemberLink&>(*member));
  ++members_;
  member->attach(task);
}

void TaskGroup::member_done(detail::FutureCore& task) noexcept {
  if (members_ == 0 && waiter_) waiter_->wake();
  if (task.state != detail::FutureState::failed) return;
  task.flags &= static_cast<std::uint8_t>(~detail::kUnread);
  errors_.push_back(task.failure());
  if (!exit_ && detail::ends_the_loop(errors_.back())) exit_ = errors_.back();
  if (aborting_ || cancelled_parent_) return;
  // The parent is not being cancelled: cancel it, to end the body. finish() takes that back.
  abort();
  cancelled_parent_ = true;
  parent_.cancel();
}

void TaskGroup::abort() noexcept {
  aborting_ = true;
  for (auto* node = watched_.front(); node != watched_.end();) {
    auto* next = node->next;
    auto& member = Member::of(*node);
    if (!member.task->done()) member.task->cancel_task(nullptr);
    node = next;
  }
}

void TaskGroup::cancel() {
  if (aborting_ || (exiting_ && members_ == 0)) return;
  abort();
  cancel_called_ = cancelled_parent_ = true;
  parent_.cancel();
}

void TaskGroup::adopt(detail::TaskCore& task) {
  watch(task);
  if (aborting_) task.cancel_task(nullptr);
}

void TaskGroup::body_ended(std::exception_ptr error, bool cancelled) noexcept {
  exiting_ = true;
  if (!error) return;
  if (!aborting_) abort();
  if (!exit_ && detail::ends_the_loop(error)) exit_ = error;
  (cancelled ? cancellation_ : body_error_) = std::move(error);
}

void TaskGroup::parent_was_cancelled(std::exception_ptr cancellation) noexcept {
  if (aborting_) return;
  cancellation_ = std::move(cancellation);
  abort();
}

bool TaskGroup::finish() {
  if (exit_) std::rethrow_exception(std::exchange(exit_, nullptr));
  if (cancelled_parent_) {
    const int left = parent_.uncancel();
    if (left == 0 || (cancel_called_ && left <= cancelling_at_entry_)) cancellation_ = nullptr;
    else if (cancel_called_ && !cancellation_) cancellation_ = std::make_exception_ptr(CancelledError());
  }
  if (cancellation_ && errors_.empty()) std::rethrow_exception(std::exchange(cancellation_, nullptr));
  if (body_error_) errors_.push_back(std::move(body_error_));
  if (errors_.empty()) return cancel_called_;
  // Cancelled from outside while there are errors: they win, and the next await raises the cancellation.
  if (parent_.cancelling() > 0) {
    parent_.uncancel();
    parent_.cancel();
  }
  throw ExceptionGroup("unhandled errors in a TaskGroup", std::move(errors_));
}

void detail::DebuggerLayout::add_task_group(DebuggerTable& table) noexcept {
  alignas(TaskGroup) static const char group_storage[sizeof(TaskGroup)] = {};
  alignas(TaskGroup::Member) static const char member_storage[sizeof(TaskGroup::Member)] = {};
  const auto& group = *reinterpret_cast<const TaskGroup*>(group_storage);
  const auto& member = *reinterpret_cast<const TaskGroup::Member*>(member_storage);
  table.task_group_members = distance(group, *group.watched_.end());
  table.task_group_link = distance(member, static_cast<const MemberLink&>(member));
  table.task_group_task = distance(member, member.task);
}

namespace {

detail::CancelResult cancel_later(TaskCore&) noexcept { return detail::CancelResult::deferred; }

// While the tasks are being cancelled, there is nothing that another cancellation could end sooner.
template <detail::CancelResult (*cancel)(TaskCore&) noexcept>
constexpr detail::WaitOps kGroupWait{
    cancel,
    &detail::detach_nothing,
    [](const TaskCore&, detail::Text& text) { text.add("the tasks of its task group"); },
    nullptr,
    [](const TaskCore& task, detail::AwaitVisitor& visitor) {
      static_cast<const TaskGroup*>(task.object)->visit_members(visitor);
    },
    "task group",
    true,
};

}  // namespace

void TaskGroup::visit_members(detail::AwaitVisitor& visitor) const {
  for (auto* node = watched_.front(); node != watched_.end(); node = node->next) {
    const auto& task = *Member::of(*node).task;
    if (!task.done()) visitor.awaits(task);
  }
}

void TaskGroup::Completed::await_suspend(std::coroutine_handle<> where) {
  group_.waiter_ = &detail::current_task_core();
  const bool in_cancelled_scope = group_.aborting_ && detail::effectively_cancelled(detail::scope_of(*group_.waiter_));
  group_.waiter_->wait(where, in_cancelled_scope ? kGroupWait<&cancel_later> : kGroupWait<&detail::cancel_at_once>,
                       &group_);
}

void TaskGroup::Completed::await_resume() { std::exchange(group_.waiter_, nullptr)->throw_if_cancelled(); }

}  // namespace eddy

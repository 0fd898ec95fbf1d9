// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/taskgroups.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "task/plain_wait.hpp"
#include "loop/report.hpp"

namespace eddy {

using detail::TaskCore;

struct MemberLink : detail::ListNode {};

struct TaskGroup::Member final : detail::DoneNode, MemberLink, detail::Pooled {
  TaskGroup* group = nullptr;
  detail::TaskCore* task = nullptr;

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
};

TaskGroup::TaskGroup() : parent_(current_task()) {}

// Only a group that was abandoned with its loop still has members here.
TaskGroup::~TaskGroup() {
  while (!watched_.empty()) {
    auto& member = Member::of(*watched_.front());
    member.MemberLink::unlink();
    member.group = nullptr;
  }
}

void TaskGroup::refuse_if_over() {
  if (exiting_ && members_ == 0) throw RuntimeError("the task group is finished: it takes no new tasks");
  if (aborting_) throw RuntimeError("the task group is shutting down: it takes no new tasks");
}

void TaskGroup::watch(detail::TaskCore& task) {
  auto* member = new Member;
  member->group = this;
  member->task = &task;
  member->drop = &Member::dropped;
  watched_.push_back(static_cast<MemberLink&>(*member));
  ++members_;
  member->attach(task, &Member::call);
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

void TaskGroup::finish() {
  if (exit_) std::rethrow_exception(std::exchange(exit_, nullptr));
  if (cancelled_parent_ && parent_.uncancel() == 0) cancellation_ = nullptr;
  if (cancellation_ && errors_.empty()) std::rethrow_exception(std::exchange(cancellation_, nullptr));
  if (body_error_) errors_.push_back(std::move(body_error_));
  if (errors_.empty()) return;
  // Cancelled from outside while there are errors: they win, and the next await raises the cancellation.
  if (parent_.cancelling() > 0) {
    parent_.uncancel();
    parent_.cancel();
  }
  throw ExceptionGroup("unhandled errors in a TaskGroup", std::move(errors_));
}

namespace {

constexpr detail::WaitOps kGroupWait{
    &detail::cancel_at_once,
    &detail::detach_nothing,
    [](const TaskCore&, detail::Text& text) { text.add("the tasks of its task group"); },
    nullptr,
    true,
};

}  // namespace

void TaskGroup::Completed::await_suspend(std::coroutine_handle<> where) {
  group_.waiter_ = &detail::current_task_core();
  group_.waiter_->wait(where, kGroupWait, &group_);
}

void TaskGroup::Completed::await_resume() { std::exchange(group_.waiter_, nullptr)->throw_if_cancelled(); }

}  // namespace eddy

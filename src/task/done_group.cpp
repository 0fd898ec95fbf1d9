// SPDX-License-Identifier: MIT
#include <eddy/detail/done_group.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "task/debugger_layout.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {

// The timeout of wait(). In the timers or in the ready queue; freed when it is in neither.
struct DoneGroup::Timer final : WaitNode, ReadyNode, Pooled {
  explicit Timer(DoneGroup& owner) noexcept : group(&owner) {
    static constexpr WaitOps kTimer{nullptr, nullptr, nullptr, &expire};
    ops = &kTimer;
    run = &fire;
  }
  DoneGroup* group;  // null: nobody is interested any more

  static void expire(WaitNode& node) noexcept {
    auto& self = static_cast<Timer&>(node);
    if (self.group) self.group->waiter_->loop->ready.push(self);
    else delete &self;
  }
  static void fire(ReadyNode& node, Dispatch how) noexcept {
    auto* self = static_cast<Timer*>(&node);
    if (self->group) {
      self->group->timer_ = nullptr;
      if (how == Dispatch::run) self->group->end();
    }
    delete self;
  }
};

const WaitOps DoneGroup::kOps{&cancel_wait, &detach_wait, &describe_wait, nullptr, &visit_members, "group"};

constinit const DoneOps DoneGroup::kMemberOps{&run_member, &drop_member, &wants_member_call};

DoneGroup::DoneGroup(std::size_t members, Until until, bool owning)
    : members_(new Member[members]), until_(until), owning_(owning) {}

void DoneGroup::add(FutureCore& member) noexcept {
  Member& node = members_[added_++];
  node.group = this;
  ++pending_;
  if (member.done()) [[unlikely]] {
    if (owning_) {
      ++done_before_;
      node.target = &member;
      return;
    }
    ++queued_;
  }
  ++references_;
  node.attach(member);
}

void DoneGroup::run_member(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<Member&>(static_cast<DoneNode&>(node));
  DoneGroup& group = *self.group;
  FutureCore* member = std::exchange(self.target, nullptr);
  --group.queued_;
  if (how == Dispatch::run) group.member_done(*member);
  member->release();
  group.release();
}

void DoneGroup::drop_member(DoneNode& node) noexcept {
  auto& self = static_cast<Member&>(node);
  self.target = nullptr;
  --self.group->pending_;
  self.group->release();
}

// As long as no callback is queued, its place among them does not matter, and the last member has one.
bool DoneGroup::wants_member_call(DoneNode& node, FutureState how) noexcept {
  auto& self = static_cast<Member&>(node);
  DoneGroup& group = *self.group;
  const bool counts_alone = how == FutureState::finished && group.until_ != Until::first_done;
  if (!counts_alone || group.queued_ > 0 || group.pending_ == 1) {
    ++group.queued_;
    return true;
  }
  --group.pending_;
  --group.references_;
  self.target = nullptr;
  return false;
}

void DoneGroup::member_done(FutureCore& member) noexcept {
  --pending_;
  // A gather() hands its members' exceptions on, or has thrown already: either way they count as seen.
  if (owning_) member.flags &= static_cast<std::uint8_t>(~kUnread);
  if (ended_) return;
  const bool failed = member.state == FutureState::failed;
  if (until_ == Until::first_failure && (failed || member.cancelled())) {
    failure_ = member.failure();
    failure_is_cancellation_ = member.cancelled();
    return end();
  }
  if (pending_ == 0 || until_ == Until::first_done || (until_ == Until::first_exception && failed)) end();
}

void DoneGroup::end() noexcept {
  if (std::exchange(ended_, true)) return;
  if (waiter_) waiter_->wake();
}

bool DoneGroup::wait_owning(TaskCore& task, std::coroutine_handle<> where) {
  for (std::size_t i = 0; done_before_ > 0; ++i) {
    if (members_[i].is_linked()) continue;
    --done_before_;
    member_done(*std::exchange(members_[i].target, nullptr));
  }
  if (ended_) return false;
  wait(task, where, Duration::max());
  return true;
}

void DoneGroup::wait(TaskCore& task, std::coroutine_handle<> where, Duration timeout) {
  waiter_ = &task;
  if (timeout < Duration::max()) {
    timer_ = new Timer(*this);
    Loop::of(*task.loop).arm_after(*timer_, timeout.count());
  }
  task.wait(where, kOps, this);
}

void DoneGroup::stop_timer() noexcept {
  Timer* timer = std::exchange(timer_, nullptr);
  if (!timer) return;
  timer->group = nullptr;
  if (!TimerQueue::is_armed(*timer)) return;  // in the ready queue, which frees it
  Loop::of(*waiter_->loop).disarm(*timer);
  delete timer;
}

void DoneGroup::finish_wait() {
  if (!waiter_) return;  // it did not suspend
  stop_timer();
  TaskCore& task = *std::exchange(waiter_, nullptr);
  const bool ended_cancelled = cancel_requested_ && !failure_;  // a failure that came after all is told instead
  if (task.must_throw()) {
    if (!ended_cancelled && !failure_is_cancellation_) task.throw_cancelled();
    task.take_cancellation();  // one CancelledError is enough: the one that came first
  }
  if (ended_cancelled) throw CancelledError(std::move(cancel_message_));
}

void DoneGroup::leave() noexcept {
  if (waiter_) stop_timer();
  waiter_ = nullptr;
  ended_ = true;
  if (until_ != Until::first_failure) {
    for (std::size_t i = 0; i < added_; ++i) {
      if (!members_[i].is_linked()) continue;
      members_[i].detach();
      --references_;
    }
  }
  release();
}

CancelResult DoneGroup::cancel_wait(TaskCore& task) noexcept {
  auto& group = *static_cast<DoneGroup*>(task.object);
  if (!group.owning_) {
    task.wake_cancelled();
    return CancelResult::accepted;
  }
  // The group ends when its members have: cancelled or not, all of them have been heard.
  auto message = task.extra ? task.extra->cancel_message : nullptr;
  const bool any = task.pass_on_cancellation([&] {
    bool accepted = false;
    for (std::size_t i = 0; i < group.added_; ++i) {
      auto* member = group.members_[i].target;
      if (member && member->cancel(message)) accepted = true;
    }
    return accepted;
  });
  if (!any) return CancelResult::refused;
  group.cancel_requested_ = true;
  group.cancel_message_ = std::move(message);
  return CancelResult::accepted;
}

// The task's frames go, and the awaiter with them: it calls leave().
void DoneGroup::detach_wait(TaskCore&) noexcept {}

void DoneGroup::describe_wait(const TaskCore& task, Text& text) {
  const auto& group = *static_cast<const DoneGroup*>(task.object);
  text.add("{} of {} futures", group.pending_, group.added_);
}

void DebuggerLayout::add_group(DebuggerTable& table) noexcept {
  alignas(DoneGroup) static const char storage[sizeof(DoneGroup)] = {};
  const auto& group = *reinterpret_cast<const DoneGroup*>(storage);
  table.group_members = distance(group, group.members_);
  table.group_count = distance(group, group.added_);
  table.group_stride = sizeof(DoneGroup::Member);
}

void DoneGroup::visit_members(const TaskCore& task, AwaitVisitor& visitor) {
  const auto& group = *static_cast<const DoneGroup*>(task.object);
  for (std::size_t i = 0; i < group.added_; ++i) {
    if (const auto* member = group.members_[i].target) visitor.awaits(*member);
  }
}

}  // namespace eddy::detail

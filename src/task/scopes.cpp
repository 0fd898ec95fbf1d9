// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/scopes.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {
namespace {

constexpr std::int64_t kForever = Duration::max().count();

ScopeCore& scope_in_list(ListNode& node) noexcept {
  return static_cast<ScopeCore&>(static_cast<ScopeLink&>(node));
}

void leave_list(ListNode& node) noexcept {
  if (node.is_linked()) node.unlink();
}

void stand_in(ScopeMember& member, ScopeCore* scope) noexcept {
  leave_list(member);
  member.scope = scope;
  if (scope) scope->tasks.push_back(member);
}

void request(TaskCore& task) noexcept {
  if (task.done() || task.must_throw()) return;
  if (task.waiting() && task.WaitNode::ops->cancel(task) == CancelResult::accepted) return;
  task.flags |= kMustCancel;
  task.extra->level_cancel = true;
}

}  // namespace

ScopeCore* scope_of(const TaskCore& task) noexcept { return task.extra ? task.extra->scope.scope : nullptr; }

bool effectively_cancelled(const ScopeCore* scope) noexcept {
  for (; scope; scope = scope->parent) {
    if (scope->cancel_called) return true;
    if (scope->shield) return false;
  }
  return false;
}

void rearm_level_cancel(TaskCore& task) noexcept {
  if (!effectively_cancelled(scope_of(task))) return;
  task.flags |= kMustCancel;
  task.extra->level_cancel = true;
}

void drop_level_cancel(TaskCore& task) noexcept {
  if (std::exchange(task.extra->level_cancel, false)) task.flags &= static_cast<std::uint8_t>(~kMustCancel);
}

void join_scope(TaskCore& task, ScopeCore& scope) {
  auto& member = extra_of(task).scope;
  member.task = &task;
  stand_in(member, &scope);
  if (effectively_cancelled(&scope)) request(task);
}

ScopeCore::ScopeCore() noexcept {
  static constexpr WaitOps kTimer{nullptr, nullptr, nullptr, &expire};
  ops = &kTimer;
}

// With its loop, a task's frames may go before those that joined its scope.
ScopeCore::~ScopeCore() {
  if (task) {
    disarm();
    leave_list(static_cast<ScopeLink&>(*this));
  }
  while (!tasks.empty()) stand_in(static_cast<ScopeMember&>(*tasks.front()), nullptr);
  while (!children.empty()) {
    auto& child = scope_in_list(*children.front());
    static_cast<ScopeLink&>(child).unlink();
    child.parent = nullptr;
  }
}

void ScopeCore::enter() {
  if (std::exchange(used, true)) throw RuntimeError("a cancel scope runs once; make another one");
  task = &current_task_core();
  auto& member = extra_of(*task).scope;
  member.task = task;
  parent = member.scope;
  if (parent) parent->children.push_back(static_cast<ScopeLink&>(*this));
  stand_in(member, this);
  cancelling = task->cancel_requests;
  if (deadline == kForever && limit < kForever) deadline = Loop::of(*task->loop).time() + limit;
  arm();
  drop_level_cancel(*task);  // a shield keeps it out
  rearm_level_cancel(*task);
}

bool ScopeCore::exit(bool cancelled) noexcept {
  disarm();
  TaskCore& host = *std::exchange(task, nullptr);
  leave_list(static_cast<ScopeLink&>(*this));
  stand_in(host.extra->scope, parent);
  drop_level_cancel(host);
  const bool from_outside = host.cancel_requests > cancelling;
  if (!cancelled || !cancel_called || from_outside || (!shield && effectively_cancelled(parent))) {
    // The CancelledError that passes through is the one that is asked for: it is not to come twice.
    if (cancelled && from_outside) host.flags &= static_cast<std::uint8_t>(~kMustCancel);
    if (!cancelled) rearm_level_cancel(host);
    return false;
  }
  rearm_level_cancel(host);
  return cancelled_caught = true;
}

void ScopeCore::cancel() noexcept {
  if (std::exchange(cancel_called, true)) return;
  if (task) deliver();
}

void ScopeCore::deliver() noexcept {
  for (auto* node = tasks.front(); node != tasks.end(); node = node->next) {
    request(*static_cast<ScopeMember&>(*node).task);
  }
  for (auto* node = children.front(); node != children.end(); node = node->next) {
    if (auto& child = scope_in_list(*node); !child.shield) child.deliver();
  }
}

void ScopeCore::set_shield(bool on) noexcept {
  shield = on;
  if (!on && task && effectively_cancelled(this)) deliver();
}

void ScopeCore::set_deadline(std::int64_t moment) {
  disarm();
  deadline = moment;
  limit = kForever;
  if (task) arm();
}

void ScopeCore::arm() {
  if (deadline < kForever && !cancel_called) Loop::of(*task->loop).arm(*this, deadline);
}

void ScopeCore::disarm() noexcept {
  if (TimerQueue::is_armed(*this)) Loop::of(*task->loop).disarm(*this);
}

void ScopeCore::expire(WaitNode& timer) noexcept { static_cast<ScopeCore&>(timer).cancel(); }

void throw_too_slow(std::int64_t limit) {
  if (limit == kForever) throw TimeoutError("timed out at the deadline");
  throw TimeoutError(fmt::format("timed out after {}", format_duration(limit)));
}

}  // namespace eddy::detail

namespace eddy {

TimePoint CancelScope::deadline() const noexcept {
  return core_.deadline == detail::kForever ? TimePoint::max() : TimePoint(std::chrono::nanoseconds(core_.deadline));
}

void CancelScope::set_deadline(TimePoint when) {
  core_.set_deadline(when == TimePoint::max() ? detail::kForever : when.time_since_epoch().count());
}

TimePoint current_effective_deadline() {
  auto earliest = detail::kForever;
  const auto* scope = detail::scope_of(detail::current_task_core());
  if (detail::effectively_cancelled(scope)) return TimePoint::min();
  for (; scope; scope = scope->shield ? nullptr : scope->parent) earliest = std::min(earliest, scope->deadline);
  return earliest == detail::kForever ? TimePoint::max() : TimePoint(std::chrono::nanoseconds(earliest));
}

}  // namespace eddy

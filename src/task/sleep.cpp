// SPDX-License-Identifier: MIT
#include <eddy/tasks.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {
namespace {

// As in asyncio, a timer that has come is a handle in the ready queue; when its turn comes it wakes the
// task, which runs on the next turn. The task's own ready node does both.
void step_again(ReadyNode& node, Dispatch how) noexcept {
  if (how == Dispatch::discard) return;
  auto& task = static_cast<TaskCore&>(node);
  task.run = &TaskCore::step;
  task.flags &= static_cast<std::uint8_t>(~kWaiting);
  task.loop->ready.push(task);
}

// In the ready queue with its timer gone: still waiting, so a cancel that comes first is accepted.
void expire_sleep(WaitNode& node) noexcept {
  auto& task = task_of(node);
  task.run = &step_again;
  task.loop->ready.push(task);
}

// The place in the ready queue of a task whose own node stands there as a timer that came too late.
struct StandIn final : ReadyNode, Pooled {
  explicit StandIn(TaskCore& stepped) noexcept : task(&stepped) { run = &step; }
  TaskCore* task;

  static void step(ReadyNode& node, Dispatch how) noexcept {
    auto* self = static_cast<StandIn*>(&node);
    TaskCore& stepped = *self->task;
    delete self;
    stepped.run(stepped, how);
  }
};

// The timer came in this turn, but a cancellation was faster: its handle has no effect any more.
void come_too_late(ReadyNode& node, Dispatch how) noexcept {
  if (how == Dispatch::run) static_cast<TaskCore&>(node).run = &TaskCore::step;
}

// Either way the task's step takes its place in the ready queue now: cancelled tasks run in the order of their
// cancellations.
CancelResult cancel_sleep(TaskCore& task) noexcept {
  if (TimerQueue::is_armed(task)) {
    Loop::of(*task.loop).disarm(task);
    task.wake_cancelled();
    return CancelResult::accepted;
  }
  task.flags = static_cast<std::uint8_t>((task.flags | kWaitCancelled) & ~kWaiting);
  task.run = &come_too_late;
  task.loop->ready.push(*new StandIn(task));
  return CancelResult::accepted;
}

void detach_sleep(TaskCore& task) noexcept {
  if (TimerQueue::is_armed(task)) Loop::of(*task.loop).disarm(task);
}

void describe_sleep(const TaskCore& task, Text& text) {
  const auto left = task.when - Loop::of(*task.loop).time();
  text.add("sleep, {} left", format_duration(left > 0 ? left / 1000 * 1000 : 0));
}

constexpr WaitOps kSleep{&cancel_sleep, &detach_sleep, &describe_sleep, &expire_sleep, nullptr, "sleep"};

}  // namespace

void SleepAwaiter::start_sleep(TaskCore& task, std::coroutine_handle<> where, std::int64_t delay) noexcept {
  task.wait(where, kSleep, nullptr);
  Loop::of(*task.loop).arm_after(task, delay);
}

}  // namespace eddy::detail

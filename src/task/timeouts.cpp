// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

// One timeout scope. Counted, since its timer may stand in the ready queue when the scope is left: held by
// the scope and by the timer.
//
//     created --enter--> active --timer--> expiring --exit--> expired
//                          |
//                          '----exit----> exited
struct TimeoutCore final : WaitNode, ReadyNode, Pooled {
  enum class State : std::uint8_t { created, active, expiring, expired, exited };

  static void expire(WaitNode& node) noexcept {
    auto& self = static_cast<TimeoutCore&>(node);
    self.queued_for = self.schedules;
    if (std::exchange(self.queued, true)) self.release();
    else self.loop->ready.push(self);
  }
  static void fire(ReadyNode& node, Dispatch how) noexcept {
    auto& self = static_cast<TimeoutCore&>(node);
    self.queued = false;
    self.time_is_up(self.queued_for, how);
  }
  // Rescheduled or left since it came into the ready queue: without effect.
  void time_is_up(std::uint16_t schedule, Dispatch how) noexcept {
    if (how == Dispatch::run && state == State::active && schedule == schedules) {
      state = State::expiring;
      task->cancel_task(nullptr);
    }
    release();
  }
  // Its place in the ready queue if it is due anew while its own node stands there for an earlier schedule.
  struct DueAgain final : ReadyNode, Pooled {
    explicit DueAgain(TimeoutCore& owner) noexcept : core(owner), schedule(owner.schedules) {
      run = [](ReadyNode& node, Dispatch how) noexcept {
        auto* self = static_cast<DueAgain*>(&node);
        self->core.time_is_up(self->schedule, how);
        delete self;
      };
    }
    TimeoutCore& core;
    std::uint16_t schedule;
  };
  void release() noexcept {
    if (--references == 0) delete this;
  }

  void arm() {
    ++schedules;
    if (deadline >= Duration::max().count()) return;
    if (deadline > Loop::of(*loop).time()) {
      ++references;
      Loop::of(*loop).timers.add(*this, deadline);
      return;
    }
    // Over already: before whatever the body makes ready.
    ++references;
    if (queued) return loop->ready.push(*new DueAgain(*this));
    queued = true;
    queued_for = schedules;
    loop->ready.push(*this);
  }
  void disarm() noexcept {
    if (!TimerQueue::is_armed(*this)) return;
    Loop::of(*loop).disarm(*this);
    release();
  }

  LoopCore* loop = nullptr;
  TaskCore* task = nullptr;
  std::int64_t limit = 0;     // as given: a length, or a deadline
  std::int64_t deadline = 0;  // on the loop's clock
  int references = 1;
  std::uint16_t cancelling = 0;  // the task's count on entry
  std::uint16_t schedules = 0;   // how often it was given a deadline
  std::uint16_t queued_for = 0;  // which of them its own node stands in the ready queue for
  State state = State::created;
  bool is_deadline = false;
  bool queued = false;  // in the ready queue
};

namespace {
constexpr WaitOps kTimeoutTimer{nullptr, nullptr, nullptr, &TimeoutCore::expire};
}

TimeoutCore* make_timeout(std::int64_t limit, bool is_deadline) {
  auto* core = new TimeoutCore;
  core->ops = &kTimeoutTimer;
  core->run = &TimeoutCore::fire;
  core->limit = limit;
  core->is_deadline = is_deadline;
  return core;
}

void enter_timeout(TimeoutCore& core) {
  core.task = &current_task_core();
  core.loop = core.task->loop;
  core.cancelling = core.task->cancel_requests;
  core.state = TimeoutCore::State::active;
  const auto forever = Duration::max().count();
  if (core.is_deadline || core.limit >= forever) core.deadline = core.limit;
  else core.deadline = Loop::of(*core.loop).time() + core.limit;
  core.arm();
}

bool exit_timeout(TimeoutCore& core, bool cancelled) noexcept {
  core.disarm();
  if (core.state != TimeoutCore::State::expiring) {
    core.state = TimeoutCore::State::exited;
    return false;
  }
  core.state = TimeoutCore::State::expired;
  return core.task->uncancel() <= core.cancelling && cancelled;
}

void leave_timeout(TimeoutCore& core) noexcept {
  if (core.state == TimeoutCore::State::active) core.disarm();
  if (core.state != TimeoutCore::State::expired) core.state = TimeoutCore::State::exited;
  core.release();
}

void throw_timeout(const TimeoutCore& core) {
  if (core.is_deadline) throw TimeoutError("timed out at the deadline");
  if (core.limit >= Duration::max().count()) throw TimeoutError("timed out: there was no time at all");
  throw TimeoutError(fmt::format("timed out after {}", format_duration(core.limit)));
}

}  // namespace eddy::detail

namespace eddy {

using State = detail::TimeoutCore::State;

TimePoint Timeout::when() const noexcept {
  return core_.deadline >= Duration::max().count() ? TimePoint::max()
                                                   : TimePoint(std::chrono::nanoseconds(core_.deadline));
}

bool Timeout::expired() const noexcept { return core_.state == State::expiring || core_.state == State::expired; }

void Timeout::reschedule(TimePoint when) {
  if (core_.state != State::active) throw RuntimeError("a timeout that has expired cannot be rescheduled");
  core_.disarm();
  core_.deadline = when == TimePoint::max() ? Duration::max().count() : when.time_since_epoch().count();
  core_.arm();
}

}  // namespace eddy

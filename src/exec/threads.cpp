// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy {

void EventLoop::shutdown_default_executor() {
  if (auto pool = std::exchange(loop_->default_executor, nullptr)) {
    static_cast<ThreadPoolExecutor*>(pool.get())->shutdown();
  }
}

namespace detail {

ThreadPoolExecutor& default_executor(LoopCore& core) {
  auto& loop = Loop::of(core);
  if (!loop.default_executor) loop.default_executor = std::make_shared<ThreadPoolExecutor>();
  return *static_cast<ThreadPoolExecutor*>(loop.default_executor.get());
}

const WaitOps ThreadWait::kOps{&cancel_wait, &detach_wait, &describe_wait, nullptr};

void ThreadWait::wait(TaskCore& task, std::coroutine_handle<> where) noexcept {
  loop_ = task.loop;
  waiter_ = &task;
  Loop::of(*loop_).expect_wakeup();
  task.wait(where, kOps, this);
}

bool ThreadWait::begin() noexcept {
  unsigned char expected = kQueued;
  return __atomic_compare_exchange_n(&state_, &expected, kBegun, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void ThreadWait::post_end() noexcept {
  try {
    Loop::of(*loop_).post(*this);
  } catch (...) {
    // The loop was closed: it discarded this node.
  }
}

// On the loop's thread; the job's thread touches nothing of this any more.
void ThreadWait::job_ended(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<ThreadWait&>(node);
  self.ended_ = true;
  if (how == Dispatch::run) Loop::of(*self.loop_).wakeup_came();
  if (self.left_ || how == Dispatch::discard) {
    if (self.left_) delete &self;
    return;
  }
  if (self.waiter_) self.waiter_->wake();
}

void ThreadWait::leave() noexcept {
  left_ = true;
  waiter_ = nullptr;
  if (ended_) delete this;
}

void ThreadWait::finish_wait() {
  TaskCore& task = *std::exchange(waiter_, nullptr);
  task.throw_if_cancelled();
}

CancelResult ThreadWait::cancel_wait(TaskCore& task) noexcept {
  auto& self = *static_cast<ThreadWait*>(task.object);
  unsigned char expected = kQueued;
  if (!__atomic_compare_exchange_n(&self.state_, &expected, kSkipped, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    return CancelResult::deferred;
  }
  task.wake_cancelled();
  return CancelResult::accepted;
}

void ThreadWait::detach_wait(TaskCore&) noexcept {}

void ThreadWait::describe_wait(const TaskCore& task, Text& text) {
  const auto& self = *static_cast<const ThreadWait*>(task.object);
  const auto state = __atomic_load_n(&self.state_, __ATOMIC_RELAXED);
  text.add("{}", state == kQueued ? "a free thread" : "a function on a thread");
}

}  // namespace detail
}  // namespace eddy

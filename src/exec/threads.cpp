// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>
#include <fmt/format.h>

#include <atomic>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy {

bool EventLoop::shutdown_default_executor(Duration timeout) {
  loop_->default_executor_is_shut_down = true;
  const auto holder = std::exchange(loop_->default_executor, nullptr);
  if (!holder) return true;
  auto& pool = *static_cast<ThreadPoolExecutor*>(holder.get());
  if (pool.shutdown_within(timeout)) return true;
  auto text = fmt::format("the loop's thread pool did not end within {}; its threads are left to themselves, still busy:",
                          detail::format_duration(timeout.count()));
  for (const auto& name : pool.busy_threads()) text += " " + name;
  pool.shutdown(false, true);
  call_exception_handler({text, nullptr, {}});
  return false;
}

namespace detail {

ThreadPoolExecutor& default_executor(LoopCore& core) {
  auto& loop = Loop::of(core);
  if (loop.default_executor_is_shut_down) throw RuntimeError("Executor shutdown has been called");
  if (!loop.default_executor) {
    loop.default_executor = std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.thread_name_prefix = "eddy"});
  }
  return *static_cast<ThreadPoolExecutor*>(loop.default_executor.get());
}

void check_options(const ToThreadOptions& options) {
  if (options.abandon && options.limiter) {
    throw ValueError("to_thread: .abandon and .limiter exclude each other: an abandoned function would run on without a token");
  }
}

const WaitOps ThreadWait::kOps{&cancel_wait, &detach_wait, &describe_wait, nullptr, nullptr, "thread"};

void ThreadWait::prepare(TaskCore& task) noexcept {
  loop_ = task.loop;
  waiter_ = &task;
  Loop::of(*loop_).expect_wakeup();
}

void ThreadWait::wait(std::coroutine_handle<> where) noexcept { waiter_->wait(where, kOps, this); }

bool ThreadWait::leave_queue(State to) noexcept {
  State expected = State::queued;
  return std::atomic_ref(state_).compare_exchange_strong(expected, to, std::memory_order_acq_rel);
}

bool ThreadWait::begin() noexcept { return leave_queue(State::busy); }

void ThreadWait::drop() noexcept {
  if (!leave_queue(State::busy)) return;
  dropped_ = true;
  post_end();
}

// Order matters: 1. the post, 2. the state. A loop that closes waits for 2., so it is there for 1.
void ThreadWait::post_end() noexcept {
  retain();
  try {
    Loop::of(*loop_).post(*this);
  } catch (...) {
    // The loop was closed: it discarded this node.
  }
  std::atomic_ref state(state_);
  state.store(State::over, std::memory_order_release);
  state.notify_all();
}

// On the loop's thread, or with Dispatch::discard wherever the loop was found closed.
void ThreadWait::job_ended(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<ThreadWait&>(node);
  if (how == Dispatch::run) {
    Loop::of(*self.loop_).wakeup_came();
    if (self.waiter_) self.waiter_->wake();
  }
  self.release();
}

void ThreadWait::leave() noexcept {
  waiter_ = nullptr;
  clear();
  release();
}

void ThreadWait::finish_wait() {
  TaskCore& task = *std::exchange(waiter_, nullptr);
  task.WaitNode::ops = nullptr;  // detach_wait() must not find this again
  task.throw_if_cancelled();
  if (dropped_) throw CancelledError();
}

CancelResult ThreadWait::cancel_wait(TaskCore& task) noexcept {
  auto& self = *static_cast<ThreadWait*>(task.object);
  if (!self.leave_queue(State::skipped)) {
    self.request_stop();
    return CancelResult::deferred;
  }
  Loop::of(*self.loop_).wakeup_came();  // the job will not post its end
  task.wake_cancelled();
  return CancelResult::accepted;
}

// The loop closes under a job. What runs may use what the coroutine keeps alive, and will post its end to
// the loop: both stay until it is over.
void ThreadWait::detach_wait(TaskCore& task) noexcept {
  auto& self = *static_cast<ThreadWait*>(task.object);
  if (self.leave_queue(State::skipped)) return;
  self.request_stop();
  std::atomic_ref(self.state_).wait(State::busy, std::memory_order_acquire);
}

void ThreadWait::describe_wait(const TaskCore& task, Text& text) {
  auto& self = *static_cast<ThreadWait*>(task.object);
  const auto state = std::atomic_ref(self.state_).load(std::memory_order_relaxed);
  text.add("{}", state == State::queued ? "a free thread" : "a function on a thread");
}

}  // namespace detail
}  // namespace eddy

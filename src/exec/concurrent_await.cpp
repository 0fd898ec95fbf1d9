// SPDX-License-Identifier: MIT
#include <eddy/detail/concurrent_await.hpp>

#include <atomic>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

const WaitOps ConcurrentWait::kOps{&cancel_wait, &detach_wait, &describe_wait, nullptr};

// The future's hold of the wait.
class ConcurrentWait::Callback {
 public:
  explicit Callback(ConcurrentWait& wait) noexcept : wait_(&wait) {
    add_reference(wait.references_);
  }
  Callback(Callback&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
  Callback& operator=(Callback&&) = delete;
  ~Callback() {
    if (wait_) wait_->release();
  }
  void operator()() { wait_->future_is_done(); }

 private:
  ConcurrentWait* wait_;
};

void ConcurrentWait::wait(std::coroutine_handle<> where, const std::shared_ptr<BlockingState>& state) {
  TaskCore& task = current_task_core();
  Callback callback(*this);
  state_ = state;
  loop_ = task.loop;
  waiter_ = &task;
  Loop::of(*loop_).expect_wakeup();
  task.wait(where, kOps, this);
  try {
    state_->on_done(std::move(callback));
  } catch (...) {  // no memory: the await throws, so nothing waits
    task.flags &= static_cast<std::uint8_t>(~kWaiting);
    Loop::of(*loop_).wakeup_came();
    throw;
  }
}

// Order matters: 1. the post, 2. the stage. A loop that closes waits for 2., so it is there for 1.
void ConcurrentWait::future_is_done() noexcept {
  std::atomic_ref stage(stage_);
  Stage expected = Stage::waiting;
  if (!stage.compare_exchange_strong(expected, Stage::posting, std::memory_order_acq_rel)) return;
  add_reference(references_);
  try {
    Loop::of(*loop_).post(*this);
  } catch (...) {
    // The loop was closed: it discarded this node.
  }
  stage.store(Stage::posted, std::memory_order_release);
  stage.notify_all();
}

void ConcurrentWait::arrived(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<ConcurrentWait&>(node);
  if (how == Dispatch::run) {
    Loop::of(*self.loop_).wakeup_came();
    if (self.waiter_) self.waiter_->wake();
  }
  self.release();
}

// True: the future will not touch the loop.
bool ConcurrentWait::leave_future() noexcept {
  std::atomic_ref stage(stage_);
  Stage expected = Stage::waiting;
  if (stage.compare_exchange_strong(expected, Stage::left, std::memory_order_acq_rel)) return true;
  stage.wait(Stage::posting, std::memory_order_acquire);
  return false;
}

void ConcurrentWait::leave() noexcept {
  waiter_ = nullptr;
  release();
}

void ConcurrentWait::finish_wait() {
  TaskCore& task = *std::exchange(waiter_, nullptr);
  task.WaitNode::ops = nullptr;  // detach_wait() must not find this again
  task.throw_if_cancelled();
}

CancelResult ConcurrentWait::cancel_wait(TaskCore& task) noexcept {
  auto& self = *static_cast<ConcurrentWait*>(task.object);
  if (!self.leave_future()) return CancelResult::refused;
  Loop::of(*self.loop_).wakeup_came();
  self.state_->cancel();
  task.wake_cancelled();
  return CancelResult::accepted;
}

void ConcurrentWait::detach_wait(TaskCore& task) noexcept {
  auto& self = *static_cast<ConcurrentWait*>(task.object);
  if (self.leave_future()) self.state_->cancel();
}

void ConcurrentWait::describe_wait(const TaskCore& task, Text& text) {
  auto& self = *static_cast<ConcurrentWait*>(task.object);
  text.add("a {} job of an executor", self.state_->stage_name());
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// As asyncio's, statement by statement: a waiter that was woken or cancelled stays in its list until it has
// run, so that nobody overtakes it and it can pass on what it was given.
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/debugger_layout.hpp"
#include "task/plain_wait.hpp"

namespace eddy {

using detail::ListNode;
using detail::TaskCore;
using detail::WaitNode;
using detail::WaitOps;

namespace {

void enqueue_in(detail::List& waiters, TaskCore& task, std::coroutine_handle<> where, const WaitOps& how,
                void* primitive) {
  if (!waiters.empty() && detail::task_of(*waiters.front()).loop != task.loop) {
    throw RuntimeError(fmt::format("the {} belongs to another event loop, whose tasks wait for it; make one for each loop",
                                   how.kind));
  }
  task.wait(where, how, primitive);
  waiters.push_back(static_cast<WaitNode&>(task));
}

bool was_cancelled(const TaskCore& task) noexcept { return (task.flags & detail::kWaitCancelled) != 0; }

// Whether somebody in the list still waits or was woken: not only cancelled ones.
bool has_live_waiter(const detail::List& waiters) noexcept {
  for (ListNode* n = waiters.front(); n != waiters.end(); n = n->next) {
    if (!was_cancelled(detail::task_of(*n))) return true;
  }
  return false;
}

bool is_alive(const detail::LoopCore& loop, const TaskCore* wanted) noexcept {
  auto& all = loop.all_tasks;
  for (ListNode* n = all.front(); n != all.end(); n = n->next) {
    if (&detail::task_in_list(*n) == wanted) return true;
  }
  return false;
}

}  // namespace

// --- Lock -------------------------------------------------------------------------------------------

const WaitOps Lock::kOps{&detail::cancel_at_once, &detail::detach_listed,
                         [](const TaskCore& task, detail::Text& text) {
                           const auto& lock = *static_cast<const Lock*>(task.object);
                           text.add("lock {}", task.object);
                           if (lock.locked_ && is_alive(*task.loop, lock.owner_)) {
                             text.add(", held by task {}", detail::describe_task(*lock.owner_));
                           }
                         },
                         nullptr,
                         [](const TaskCore& task, detail::AwaitVisitor& visitor) {
                           const auto& lock = *static_cast<const Lock*>(task.object);
                           if (lock.locked_ && is_alive(*task.loop, lock.owner_)) visitor.held_by(*lock.owner_);
                         },
                         "lock"};

void detail::DebuggerLayout::add_lock(DebuggerTable& table) noexcept {
  const Lock lock;
  table.lock_owner = distance(lock, lock.owner_);
}

bool Lock::try_acquire() noexcept {
  if (locked_ || (!waiters_.empty() && has_live_waiter(waiters_))) return false;
  owner_ = detail::this_thread.task;
  return locked_ = true;
}

void Lock::enqueue(TaskCore& task, std::coroutine_handle<> where) {
  enqueue_in(waiters_, task, where, kOps, this);
}

void Lock::finish_wait(TaskCore& task) {
  task.WaitNode::unlink();
  if (task.must_throw()) {
    if (!locked_) wake_first();  // it may have been our turn: it is the next one's
    task.throw_cancelled();
  }
  locked_ = true;
  owner_ = &task;
}

void Lock::release() {
  if (!locked_) throw RuntimeError("the lock is not held; release() it once for each acquire()");
  detail::check_thread(waiters_);
  locked_ = false;
  owner_ = nullptr;
  wake_first();
}

void Lock::wake_first() noexcept {
  if (!waiters_.empty()) detail::task_of(*waiters_.front()).wake();
}

// --- Event ------------------------------------------------------------------------------------------

const WaitOps Event::kOps{&detail::cancel_at_once, &detail::detach_listed,
                          [](const TaskCore& task, detail::Text& text) {
                            const auto* purpose = static_cast<const Event*>(task.object)->purpose_;
                            if (purpose) text.add("{}", purpose);
                            else text.add("event {}", task.object);
                          },
                          nullptr, nullptr, "event"};

void Event::set() {
  detail::check_thread(waiters_);
  if (std::exchange(set_, true)) return;
  for (ListNode* n = waiters_.front(); n != waiters_.end(); n = n->next) detail::task_of(*n).wake();
}

void Event::enqueue(TaskCore& task, std::coroutine_handle<> where) {
  enqueue_in(waiters_, task, where, kOps, this);
}

void Event::finish_wait(TaskCore& task) {
  task.WaitNode::unlink();
  task.throw_if_cancelled();
}

// --- Semaphore --------------------------------------------------------------------------------------

const WaitOps Semaphore::kOps{&detail::cancel_at_once, &detail::detach_listed,
                              [](const TaskCore& task, detail::Text& text) {
                                text.add("semaphore {}", task.object);
                                const auto value = static_cast<const Semaphore*>(task.object)->value_;
                                if (value > 0) text.add(", {} free and promised", value);
                              },
                              nullptr, nullptr, "semaphore"};

Semaphore::Semaphore(std::ptrdiff_t value) : Semaphore(value, -1) {}

Semaphore::Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound) : value_(value), bound_(bound) {
  if (value < 0) throw ValueError(fmt::format("a semaphore's initial value is {}: it must be 0 or more", value));
}

bool Semaphore::locked() const noexcept { return value_ == 0 || (!waiters_.empty() && has_live_waiter(waiters_)); }

bool Semaphore::try_acquire() noexcept {
  if (locked()) return false;
  --value_;
  return true;
}

void Semaphore::enqueue(TaskCore& task, std::coroutine_handle<> where) {
  enqueue_in(waiters_, task, where, kOps, this);
}

void Semaphore::finish_wait(TaskCore& task) {
  task.WaitNode::unlink();
  const bool cancelled = task.must_throw();
  if (cancelled && !was_cancelled(task)) ++value_;  // it had been given a slot
  while (value_ > 0 && wake_next()) {
  }
  if (cancelled) task.throw_cancelled();
}

void Semaphore::release() {
  if (bound_ >= 0 && value_ >= bound_) {
    throw ValueError(fmt::format("the semaphore was released more often than it was acquired: its value is {} already",
                                 value_));
  }
  detail::check_thread(waiters_);
  ++value_;
  wake_next();
}

bool Semaphore::wake_next() noexcept {
  for (ListNode* n = waiters_.front(); n != waiters_.end(); n = n->next) {
    auto& task = detail::task_of(*n);
    if (!task.waiting()) continue;
    --value_;
    task.wake();
    return true;
  }
  return false;
}

// --- Condition --------------------------------------------------------------------------------------

const WaitOps Condition::kOps{&detail::cancel_at_once, &detail::detach_listed,
                              [](const TaskCore& task, detail::Text& text) {
                                const auto* barrier = static_cast<const Condition*>(task.object)->barrier_;
                                if (barrier) text.add("barrier {}, {} of {} are there", fmt::ptr(barrier), barrier->count_, barrier->parties_);
                                else text.add("condition {}", task.object);
                              },
                              nullptr, nullptr, "condition"};

void Condition::enqueue(TaskCore& task, std::coroutine_handle<> where) {
  enqueue_in(waiters_, task, where, kOps, this);
}

void Condition::finish_wait(TaskCore& task) {
  task.WaitNode::unlink();
  task.throw_if_cancelled();
}

Coro<> Condition::wait() {
  if (!locked()) throw RuntimeError("condition.wait: the lock is not held; auto held = co_await condition; comes first");
  release();
  std::exception_ptr cancellation;
  try {
    co_await detail::AcquireAwaiter<Condition>(*this);
  } catch (...) {
    cancellation = std::current_exception();
  }
  for (bool held = false; !held;) {
    try {
      co_await acquire();
      held = true;
    } catch (const CancelledError&) {  // nothing leaves this wait without the lock
      cancellation = std::current_exception();
    }
  }
  if (!cancellation) co_return;
  wake(1);  // we may have been notified: then somebody else is
  std::rethrow_exception(cancellation);
}

void Condition::notify(std::size_t n) {
  if (!locked()) throw RuntimeError("condition.notify: the lock is not held; auto held = co_await condition; comes first");
  detail::check_thread(waiters_);
  wake(n);
}

void Condition::wake(std::size_t n) noexcept {
  for (ListNode* node = waiters_.front(); node != waiters_.end() && n > 0; node = node->next) {
    auto& task = detail::task_of(*node);
    if (!task.waiting()) continue;
    --n;
    task.wake();
  }
}

// --- Barrier ----------------------------------------------------------------------------------------

Barrier::Barrier(std::size_t parties) : parties_(parties) {
  if (parties == 0) throw ValueError("a barrier needs at least one party");
  condition_.barrier_ = this;
}

Coro<std::size_t> Barrier::wait() {
  auto held = co_await condition_;
  co_await condition_.wait_for([this] { return state_ != State::draining && state_ != State::resetting; });
  if (state_ == State::broken) throw BrokenBarrierError("the barrier was aborted");
  const std::size_t index = count_++;
  struct Leave {
    Barrier& barrier;
    explicit Leave(Barrier& b) noexcept : barrier(b) {}
    ~Leave() { barrier.leave(); }
  } leave(*this);
  if (index + 1 == parties_) {
    state_ = State::draining;
    condition_.notify_all();
    co_return index;
  }
  co_await condition_.wait_for([this] { return state_ != State::filling; });
  if (state_ != State::draining) throw BrokenBarrierError("the barrier was aborted or reset while a task waited at it");
  co_return index;
}

void Barrier::leave() {
  if (--count_ > 0) return;
  if (state_ == State::resetting || state_ == State::draining) state_ = State::filling;
  if (condition_.locked()) condition_.notify_all();  // not locked: the loop closed, nobody goes on
}

Coro<> Barrier::reset() {
  auto held = co_await condition_;
  state_ = count_ > 0 ? State::resetting : State::filling;
  condition_.notify_all();
}

Coro<> Barrier::abort() {
  auto held = co_await condition_;
  state_ = State::broken;
  condition_.notify_all();
}

}  // namespace eddy

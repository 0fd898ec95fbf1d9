// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/queues.hpp>

#include <algorithm>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

const WaitOps QueueBase::kGetOps{&cancel_wait, &detach, &describe_get, nullptr, &visit_sources, "queue get"};
const WaitOps QueueBase::kPutOps{&cancel_wait, &detach, &describe_put, nullptr, nullptr, "queue put"};

void QueueBase::enqueue(Side side, TaskCore& task, std::coroutine_handle<> where) {
  auto& line = waiters(side);
  if (!line.empty() && task_of(*line.front()).loop != task.loop) {
    throw RuntimeError("the queue belongs to another event loop, whose tasks wait at it; make one for each loop");
  }
  task.wait(where, side == Side::get ? kGetOps : kPutOps, this);
  line.push_back(static_cast<WaitNode&>(task));
}

// A woken waiter looks again before its coroutine goes on: another task may have been faster. Then it
// waits anew, at the end of the line, as asyncio's `while self.empty()` does.
template <QueueBase::Side side>
void QueueBase::retry(ReadyNode& node, Dispatch how) noexcept {
  auto& task = static_cast<TaskCore&>(node);
  task.run = &TaskCore::step;
  if (how == Dispatch::discard) return;
  auto& queue = *static_cast<QueueBase*>(task.object);
  const bool may_go_on = side == Side::get ? !queue.empty() : !queue.full();
  if (may_go_on || queue.is_shut_down() || task.must_throw()) return TaskCore::step(task, how);
  task.flags |= kWaiting;
  queue.waiters(side).push_back(static_cast<WaitNode&>(task));
}

void QueueBase::wake_next(Side side) noexcept {
  auto& line = waiters(side);
  if (line.empty()) return;
  auto& task = task_of(*line.front());
  line.remove(static_cast<WaitNode&>(task));
  task.run = side == Side::get ? &retry<Side::get> : &retry<Side::put>;
  task.wake();
}

CancelResult QueueBase::cancel_wait(TaskCore& task) noexcept {
  detach(task);
  task.wake_cancelled();
  return CancelResult::accepted;
}

void QueueBase::detach(TaskCore& task) noexcept {
  auto& queue = *static_cast<QueueBase*>(task.object);
  auto& line = queue.waiters(task.WaitNode::ops == &kGetOps ? Side::get : Side::put);
  if (task.WaitNode::is_linked()) line.remove(static_cast<WaitNode&>(task));
}

QueueBase& QueueBase::finish_wait(Side side) {
  auto& task = current_task_core();
  auto& queue = *static_cast<QueueBase*>(task.object);
  if (!task.must_throw()) return queue;
  // Woken, then cancelled: what it was woken for is the next one's.
  const bool was_woken = !(task.flags & kWaitCancelled);
  if (was_woken && (side == Side::get ? !queue.empty() : !queue.full())) queue.wake_next(side);
  task.throw_cancelled();
}

void QueueBase::refuse_put() const {
  if (is_shut_down()) throw QueueShutDown();
  throw QueueFull();
}

void QueueBase::refuse_get() const {
  if (is_shut_down()) throw QueueShutDown();
  throw QueueEmpty();
}

void QueueBase::task_done() {
  if (all_done()) throw ValueError("task_done() was called more often than items were put");
  ++finished_items_;
  if (all_done()) tell_joiners();
}

// The event is set for those who wait alone: who comes later looks whether all is done.
void QueueBase::tell_joiners() {
  finished_.set();
  finished_.clear();
}

void QueueBase::discarded(std::size_t items) noexcept {
  finished_items_ += std::min(items, counts_.added - finished_items_);
  if (all_done()) tell_joiners();
}

void QueueBase::shut_down() noexcept {
  limit_ = 0;
  while (!getters_.empty()) wake_next(Side::get);
  while (!putters_.empty()) wake_next(Side::put);
}

void QueueBase::describe_get(const TaskCore& task, Text& text) {
  const auto& queue = *static_cast<const QueueBase*>(task.object);
  if (!queue.sources_) return text.add("an item of queue {}", task.object);
  const auto& pending = queue.sources_->pending;
  const auto left = pending.size() - static_cast<std::size_t>(std::count(pending.begin(), pending.end(), nullptr));
  text.add("the first of {} futures", left);
}
void QueueBase::visit_sources(const TaskCore& task, AwaitVisitor& visitor) {
  const auto* sources = static_cast<const QueueBase*>(task.object)->sources_;
  if (!sources) return;
  for (const auto* future : sources->pending) {
    if (future) visitor.awaits(*future);
  }
}
void QueueBase::describe_put(const TaskCore& task, Text& text) {
  text.add("room in queue {} of {} items", task.object, static_cast<const QueueBase*>(task.object)->maxsize_);
}

}  // namespace eddy::detail

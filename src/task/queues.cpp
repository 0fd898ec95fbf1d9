// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/queues.hpp>

#include <algorithm>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

const WaitOps QueueBase::kGetOps{&cancel_wait,
                                 [](TaskCore& task) noexcept {
                                   if (task.WaitNode::is_linked()) task.WaitNode::unlink();
                                 },
                                 &describe_get, nullptr, &visit_sources, "queue get"};
const WaitOps QueueBase::kPutOps{kGetOps.cancel, kGetOps.detach, &describe_put, nullptr, nullptr, "queue put"};

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
  if (may_go_on || queue.shut_down_ || task.must_throw()) return TaskCore::step(task, how);
  task.flags |= kWaiting;
  queue.waiters(side).push_back(static_cast<WaitNode&>(task));
}

void QueueBase::wake_next(Side side) noexcept {
  auto& line = waiters(side);
  if (line.empty()) return;
  auto& task = task_of(*line.front());
  task.WaitNode::unlink();
  task.run = side == Side::get ? &retry<Side::get> : &retry<Side::put>;
  task.wake();
}

CancelResult QueueBase::cancel_wait(TaskCore& task) noexcept {
  task.WaitNode::unlink();
  task.wake_cancelled();
  return CancelResult::accepted;
}

void QueueBase::finish_wait(Side side, TaskCore& task) {
  if (!task.must_throw()) return;
  // Woken, then cancelled: what it was woken for is the next one's.
  const bool was_woken = !(task.flags & kWaitCancelled);
  if (was_woken && (side == Side::get ? !empty() : !full())) wake_next(side);
  task.throw_cancelled();
}

void QueueBase::refuse_put() const {
  if (shut_down_) throw QueueShutDown();
  throw QueueFull();
}

void QueueBase::refuse_get() const {
  if (shut_down_) throw QueueShutDown();
  throw QueueEmpty();
}

void QueueBase::task_done() {
  if (finished_items_ == added_) throw ValueError("task_done() was called more often than items were put");
  if (++finished_items_ == added_) finished_.set();
}

void QueueBase::discarded(std::size_t items) noexcept {
  removed_ = added_;
  finished_items_ += std::min(items, added_ - finished_items_);
  if (finished_items_ == added_) finished_.set();
}

void QueueBase::shut_down() noexcept {
  shut_down_ = true;
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

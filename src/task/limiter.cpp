// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/limiter.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "task/plain_wait.hpp"

namespace eddy {

using detail::ListNode;
using detail::TaskCore;
using detail::WaitNode;

namespace {

std::size_t checked(std::size_t total) {
  if (total == 0) throw ValueError("a capacity limiter needs at least one token");
  return total;
}

}  // namespace

const detail::WaitOps CapacityLimiter::kOps{
    &detail::cancel_at_once, &detail::detach_listed,
    [](const TaskCore& task, detail::Text& text) {
      const auto& limiter = *static_cast<const Acquire*>(task.object)->limiter_;
      text.add("capacity limiter {}, {} of {} tokens borrowed", static_cast<const void*>(&limiter), limiter.borrowed_tokens(),
               limiter.total_);
    },
    nullptr};

CapacityLimiter::CapacityLimiter(std::size_t total_tokens) : total_(checked(total_tokens)) {}

void CapacityLimiter::set_total_tokens(std::size_t total) {
  total_ = checked(total);
  wake_waiters();
}

LimiterStatistics CapacityLimiter::statistics() const {
  LimiterStatistics statistics{borrowers_.size(), total_, 0, borrowers_};
  for (ListNode* n = waiters_.front(); n != waiters_.end(); n = n->next) {
    if (detail::task_of(*n).waiting()) ++statistics.tasks_waiting;
  }
  return statistics;
}

bool CapacityLimiter::try_acquire(const void* borrower) {
  if (std::find(borrowers_.begin(), borrowers_.end(), borrower) != borrowers_.end()) {
    throw RuntimeError("this borrower holds one of the capacity limiter's tokens already");
  }
  if (borrowers_.size() >= total_) return false;
  borrowers_.push_back(borrower);
  return true;
}

void CapacityLimiter::enqueue(TaskCore& task, std::coroutine_handle<> where, Acquire& acquire) noexcept {
  task.wait(where, kOps, &acquire);
  waiters_.push_back(static_cast<WaitNode&>(task));
}

void CapacityLimiter::finish_wait(TaskCore& task, const void* borrower) {
  task.WaitNode::unlink();
  if (!task.must_throw()) return;
  if ((task.flags & detail::kWaitCancelled) == 0) forget(borrower);  // it had been given a token
  wake_waiters();
  task.throw_cancelled();
}

void CapacityLimiter::release() { release_on_behalf_of(&detail::current_task_core()); }

void CapacityLimiter::release_on_behalf_of(const void* borrower) {
  forget(borrower);
  wake_waiters();
}

void CapacityLimiter::forget(const void* borrower) {
  const auto found = std::find(borrowers_.begin(), borrowers_.end(), borrower);
  if (found == borrowers_.end())
    throw RuntimeError("this borrower holds none of the capacity limiter's tokens");
  borrowers_.erase(found);
}

void CapacityLimiter::wake_waiters() noexcept {
  for (ListNode* n = waiters_.front(); n != waiters_.end() && borrowers_.size() < total_; n = n->next) {
    auto& task = detail::task_of(*n);
    if (!task.waiting()) continue;
    borrowers_.push_back(static_cast<const Acquire*>(task.object)->borrower_);
    task.wake();
  }
}

}  // namespace eddy

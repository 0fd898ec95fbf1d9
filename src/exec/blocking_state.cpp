// SPDX-License-Identifier: MIT
#include <eddy/detail/blocking_state.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <vector>

#include "base/text.hpp"

namespace eddy::detail {
namespace {

// Waits until `ready()`; false when the time is up. Very long waits are waits without an end.
template <class Ready>
bool wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Duration timeout, Ready ready) {
  if (timeout >= Duration::max()) {
    changed.wait(lock, ready);
    return true;
  }
  return changed.wait_for(lock, std::chrono::nanoseconds(timeout.count()), ready);
}

}  // namespace

struct BlockingState::Impl {
  enum class Stage { pending, running, claimed, done, cancelled };

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  Stage stage = Stage::pending;
  std::exception_ptr error;
  std::vector<Job> callbacks;

  bool is_done() const noexcept { return stage == Stage::done || stage == Stage::cancelled; }

  // Ends it and calls back outside of the lock. False if it had ended.
  bool end(Stage how, std::exception_ptr failure, bool even_if_running = true) {
    std::vector<Job> due;
    {
      const std::lock_guard lock(mutex);
      if (is_done() || (stage != Stage::pending && !even_if_running)) return false;
      stage = how;
      error = std::move(failure);
      due.swap(callbacks);
      changed.notify_all();
    }
    for (auto& callback : due) callback();
    return true;
  }
};

BlockingState::BlockingState() : impl_(new Impl) {}
BlockingState::~BlockingState() = default;

bool BlockingState::done() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->is_done();
}
bool BlockingState::running() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stage == Impl::Stage::running || impl_->stage == Impl::Stage::claimed;
}
bool BlockingState::cancelled() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stage == Impl::Stage::cancelled;
}

const char* BlockingState::stage_name() const {
  const std::lock_guard lock(impl_->mutex);
  switch (impl_->stage) {
    case Impl::Stage::pending: return "pending";
    case Impl::Stage::done: return "finished";
    case Impl::Stage::cancelled: return "cancelled";
    default: return "running";
  }
}

bool BlockingState::cancel() {
  return impl_->end(Impl::Stage::cancelled, std::make_exception_ptr(CancelledError()), false) || cancelled();
}

void BlockingState::wait(Duration timeout) const {
  std::unique_lock lock(impl_->mutex);
  if (wait_until(impl_->changed, lock, timeout, [this] { return impl_->is_done(); })) return;
  throw TimeoutError(fmt::format("the future had no result after {}", format_duration(timeout.count())));
}

void BlockingState::wait_for_map(const Deadline& deadline, Duration limit) const {
  std::unique_lock lock(impl_->mutex);
  if (wait_until(impl_->changed, lock, deadline.left(), [this] { return impl_->is_done(); })) return;
  throw TimeoutError(fmt::format("map: not every result was there after {}", format_duration(limit.count())));
}

void BlockingState::throw_failure() const {
  if (impl_->error) std::rethrow_exception(impl_->error);
}
std::exception_ptr BlockingState::failure() const {
  if (cancelled()) throw_failure();
  return impl_->error;
}

void BlockingState::on_done(Job callback) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->is_done()) {
      impl_->callbacks.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

bool BlockingState::start() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->is_done()) return false;
  impl_->stage = Impl::Stage::running;
  return true;
}
void BlockingState::claim(const char* operation) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->is_done() || impl_->stage == Impl::Stage::claimed) {
    throw InvalidStateError(fmt::format("{}: the future is {} already", operation,
                                        impl_->stage == Impl::Stage::cancelled ? "cancelled" : "done"));
  }
  impl_->stage = Impl::Stage::claimed;
}
void BlockingState::finish(std::exception_ptr error) { impl_->end(Impl::Stage::done, std::move(error)); }
void BlockingState::finish_cancelled() { impl_->end(Impl::Stage::cancelled, std::make_exception_ptr(CancelledError())); }

struct CompletedList {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::size_t> ended;
};

void push_completed(CompletedList& list, std::size_t index) {
  const std::lock_guard lock(list.mutex);
  list.ended.push_back(index);
  list.changed.notify_one();
}

namespace {
std::int64_t steady_now() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

Deadline::Deadline(Duration timeout)
    : when_(timeout >= Duration::max() ? std::numeric_limits<std::int64_t>::max() : steady_now() + timeout.count()) {}
Duration Deadline::left() const {
  return when_ == std::numeric_limits<std::int64_t>::max() ? Duration::max() : Duration::nanoseconds(when_ - steady_now());
}

CompletionOrder::CompletionOrder(std::size_t count, Duration timeout)
    : list_(std::make_shared<CompletedList>()), left_(count), total_(count), timeout_(timeout), deadline_(timeout) {}

std::size_t CompletionOrder::next() {
  auto& list = *list_;
  std::unique_lock lock(list.mutex);
  if (!wait_until(list.changed, lock, deadline_.left(), [&] { return !list.ended.empty(); })) {
    throw TimeoutError(fmt::format("{} of {} futures had not ended after {}", left_, total_, format_duration(timeout_.count())));
  }
  const auto index = list.ended.front();
  list.ended.pop_front();
  --left_;
  return index;
}

}  // namespace eddy::detail

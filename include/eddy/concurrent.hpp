// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/detail/blocking_state.hpp>
#include <eddy/detail/future_await.hpp>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

namespace concurrent {

/// A result that another thread will set: `concurrent.futures.Future`. Any thread may wait for it, by
/// blocking; inside a task await `loop.run_in_executor(…)` or `to_thread(…)` instead.
///
/// A handle: copies refer to the same result.
template <class T = void>
class Future {
 public:
  using value_type = T;
  using State = detail::BlockingBox<T>;

  Future() noexcept = default;
  explicit Future(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  explicit operator bool() const noexcept { return state_ != nullptr; }
  bool done() const { return state_->done(); }
  bool running() const { return state_->running(); }
  bool cancelled() const { return state_->cancelled(); }
  /// False once it runs or is done.
  bool cancel() const { return state_->cancel(); }

  /// Blocks until it is done; gives the value, throws the exception, CancelledError, or TimeoutError when
  /// `timeout` has passed.
  detail::ConstResult<T> result(Duration timeout = Duration::max()) const {
    state_->wait(timeout);
    state_->throw_failure();
    if constexpr (!std::is_void_v<T>) return state_->holder.get();
  }
  /// Blocks until it is done; its exception or null.
  std::exception_ptr exception(Duration timeout = Duration::max()) const {
    state_->wait(timeout);
    return state_->failure();
  }
  /// Calls `callback(Future&)` when it is done: on the thread that ends it, or at once.
  template <class F>
  void add_done_callback(F callback) const {
    state_->on_done([callback = std::move(callback), self = *this]() mutable { callback(self); });
  }

  const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<State> state_;
};

/// The futures of `futures` as they end, by blocking: a range of Future<T>&.
template <class T>
class AsCompleted {
 public:
  AsCompleted(std::vector<Future<T>> futures, Duration timeout) : futures_(std::move(futures)), order_(futures_.size(), timeout) {
    for (std::size_t i = 0; i < futures_.size(); ++i) {
      futures_[i].state()->on_done([order = order_.shared(), i] { detail::push_completed(*order, i); });
    }
  }

  class iterator {
   public:
    explicit iterator(AsCompleted* owner) : owner_(owner) { ++*this; }
    Future<T>& operator*() const { return owner_->futures_[index_]; }
    iterator& operator++() {
      if (owner_->order_.left() == 0) owner_ = nullptr;
      else index_ = owner_->order_.next();
      return *this;
    }
    bool operator!=(std::nullptr_t) const noexcept { return owner_ != nullptr; }

   private:
    AsCompleted* owner_;
    std::size_t index_ = 0;
  };
  iterator begin() { return iterator(this); }
  std::nullptr_t end() const noexcept { return nullptr; }

 private:
  std::vector<Future<T>> futures_;
  detail::CompletionOrder order_;
};

/// Blocks for each next one. Throws TimeoutError when `timeout` has passed since the call.
template <class T>
AsCompleted<T> as_completed(std::vector<Future<T>> futures, Duration timeout = Duration::max()) {
  return AsCompleted<T>(std::move(futures), timeout);
}

}  // namespace concurrent

struct ThreadPoolOptions {
  std::size_t max_workers = 0;  // 0: the number of processors + 4, at most 32
};

/// Threads that run plain functions: `concurrent.futures.ThreadPoolExecutor`.
///
/// Threads are started as jobs come, up to max_workers, and wait for more. The destructor waits for every
/// job that was submitted.
class ThreadPoolExecutor {
 public:
  explicit ThreadPoolExecutor(ThreadPoolOptions options = {});
  ThreadPoolExecutor(const ThreadPoolExecutor&) = delete;
  ThreadPoolExecutor& operator=(const ThreadPoolExecutor&) = delete;
  ~ThreadPoolExecutor();

  /// Runs `function(args...)` on a thread; both are moved there. Throws RuntimeError after shutdown().
  template <class F, class... Args>
  auto submit(F function, Args... args) {
    using T = std::invoke_result_t<F&, Args&&...>;
    auto state = std::make_shared<detail::BlockingBox<T>>();
    enqueue([job = detail::SubmittedState<T>(state), function = std::move(function), ... args = std::move(args)]() mutable {
      detail::run_job<T>(*job, [&]() -> T { return function(std::move(args)...); });
    });
    return concurrent::Future<T>(std::move(state));
  }

  /// `function` of each element, on the pool; results in the order of the elements.
  template <class F, class Range>
  auto map(F function, const Range& range) {
    using T = std::invoke_result_t<F&, typename Range::value_type>;
    std::vector<concurrent::Future<T>> jobs;
    for (const auto& element : range) jobs.push_back(submit(function, element));
    std::vector<T> results;
    results.reserve(jobs.size());
    for (auto& job : jobs) results.push_back(job.result());
    return results;
  }

  /// Refuses new jobs. `wait`: returns when those that were submitted have run. `cancel_futures`: those that
  /// have not begun are cancelled.
  void shutdown(bool wait = true, bool cancel_futures = false);

  /// For eddy's own layers: a job with no future.
  void enqueue(detail::Job job);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace eddy

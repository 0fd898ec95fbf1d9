// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/detail/blocking_state.hpp>
#include <eddy/detail/future_await.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/wait.hpp>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

/// An executor that cannot go on; jobs that wait in it end with this error, and it takes no new ones.
class BrokenExecutor : public RuntimeError { using RuntimeError::RuntimeError; };
/// The initializer of a thread threw.
class BrokenThreadPool : public BrokenExecutor { using BrokenExecutor::BrokenExecutor; };

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

  /// A future for an executor of one's own: it takes a result from whoever does the work.
  static Future create() { return Future(std::make_shared<State>()); }

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

  /// For executors, before the work: false if the future was cancelled, then nothing is to be done; else it
  /// can no longer be.
  bool set_running_or_notify_cancel() const { return state_->start(); }
  /// For executors, after it. Throw InvalidStateError if it is done.
  template <class U = T>
    requires(!std::is_void_v<T>)
  void set_result(U&& value) const {
    state_->claim("set_result");
    try {
      state_->holder.set(std::forward<U>(value));
    } catch (...) {
      return state_->finish(std::current_exception());
    }
    state_->finish(nullptr);
  }
  void set_result() const
    requires std::is_void_v<T>
  {
    state_->claim("set_result");
    state_->finish(nullptr);
  }
  void set_exception(std::exception_ptr error) const {
    state_->claim("set_exception");
    state_->finish(std::move(error));
  }

  const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<State> state_;
};

/// "pending", "running", "finished" or "cancelled".
template <class T>
std::string_view to_string(const Future<T>& future) {
  return future.state()->stage_name();
}

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

/// Blocks until the futures are done, the first is, or one has failed; or until `timeout` has passed: then
/// some are pending. Each in the order of the argument.
template <class T>
WaitSets<Future<T>> wait(const std::vector<Future<T>>& futures, WaitOptions options = {}) {
  detail::CompletionOrder order(futures.size(), options.timeout);
  for (std::size_t i = 0; i < futures.size(); ++i) {
    futures[i].state()->on_done([list = order.shared(), i] { detail::push_completed(*list, i); });
  }
  try {
    while (order.left() > 0) {
      const auto& ended = futures[order.next()];
      if (options.return_when == FIRST_COMPLETED) break;
      if (options.return_when == FIRST_EXCEPTION && !ended.cancelled() && ended.exception()) break;
    }
  } catch (const TimeoutError&) {  // the sets tell
  }
  WaitSets<Future<T>> sets;
  for (const auto& future : futures) (future.done() ? sets.done : sets.pending).push_back(future);
  return sets;
}

/// For executors: the results of `jobs` in order. The first failure, or the end of `timeout`, cancels those
/// that have not begun.
template <class T>
std::vector<T> results_of(const std::vector<Future<T>>& jobs, Duration timeout) {
  const detail::Deadline deadline(timeout);
  std::vector<T> results;
  results.reserve(jobs.size());
  try {
    for (const auto& job : jobs) {
      job.state()->wait_for_map(deadline, timeout);
      job.state()->throw_failure();
      results.push_back(detail::take_from(job.state()->holder));
    }
  } catch (...) {
    for (const auto& job : jobs) job.cancel();
    throw;
  }
  return results;
}

}  // namespace concurrent

struct ThreadPoolOptions {
  std::size_t max_workers = 0;          // 0: the number of processors + 4, at most 32
  std::string_view thread_name_prefix = {};  // "redis": redis_0, redis_1, …; empty: pool-0_0, …
  void (*initializer)() = nullptr;      // called by each thread before its first job
};

/// How an executor's map() goes about it.
struct MapOptions {
  Duration timeout = Duration::max();  // for all of it, from the call; then TimeoutError
  std::size_t chunksize = 1;           // elements that a process gets at a time; threads take one by one
};

/// Threads that run plain functions: `concurrent.futures.ThreadPoolExecutor`.
///
/// Threads are started as jobs come, up to max_workers, and wait for more. Jobs begin in the order in which
/// they came. The destructor waits for every job that was submitted.
class ThreadPoolExecutor {
 public:
  static constexpr bool is_executor = true;

  explicit ThreadPoolExecutor(ThreadPoolOptions options = {});
  /// Each thread calls `initializer(args...)` before its first job. If it throws, the pool is broken: see
  /// BrokenThreadPool.
  template <class F, class... Args>
  ThreadPoolExecutor(ThreadPoolOptions options, F initializer, Args... args) : ThreadPoolExecutor(options) {
    auto call = [initializer = std::move(initializer), ... args = std::move(args)] { initializer(args...); };
    set_initializer(std::make_shared<detail::CallableFunction<decltype(call)>>(std::move(call)));
  }
  ThreadPoolExecutor(const ThreadPoolExecutor&) = delete;
  ThreadPoolExecutor& operator=(const ThreadPoolExecutor&) = delete;
  ~ThreadPoolExecutor();

  /// Runs `function(args...)` on a thread; both are moved there. Throws RuntimeError after shutdown(),
  /// BrokenThreadPool once an initializer failed.
  template <class F, class... Args>
  auto submit(F function, Args... args) {
    using T = std::invoke_result_t<F&, Args&&...>;
    auto state = std::make_shared<detail::BlockingBox<T>>();
    auto call = [function = std::move(function), ... args = std::move(args)]() mutable -> T {
      return function(std::move(args)...);
    };
    enqueue(detail::SubmittedCall<T, decltype(call)>(state, std::move(call)));
    return concurrent::Future<T>(std::move(state));
  }

  /// `function` of each element, on the pool; results in the order of the elements. Throws the first
  /// exception in that order, TimeoutError; then what has not begun is cancelled.
  template <class F, class Range>
  auto map(F function, const Range& range, MapOptions options = {}) {
    using T = std::invoke_result_t<F&, typename Range::value_type>;
    std::vector<concurrent::Future<T>> jobs;
    for (const auto& element : range) jobs.push_back(submit(function, element));
    return concurrent::results_of(jobs, options.timeout);
  }

  /// Refuses new jobs. `wait`: returns when those that were submitted have run. `cancel_futures`: those that
  /// have not begun are cancelled.
  void shutdown(bool wait = true, bool cancel_futures = false);
  /// shutdown() with a limit to the wait. False if threads are still busy: they go on by themselves.
  bool shutdown_within(Duration timeout);
  /// The names of the threads that run a job.
  std::vector<std::string> busy_threads() const;

  /// For eddy's own layers: a job with no future.
  void enqueue(detail::Job job);

 private:
  struct Impl;
  void set_initializer(std::shared_ptr<detail::Callable> initializer);
  std::shared_ptr<Impl> impl_;
};

}  // namespace eddy

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/processes.hpp>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace eddy::mp {

/// The results of a range of jobs, one by one: a range to go through once, by blocking.
template <class T, bool kInOrder>
class Results {
 public:
  explicit Results(std::vector<concurrent::Future<T>> jobs)
      : completed_(kInOrder ? std::vector<concurrent::Future<T>>() : jobs, Duration::max()),
        jobs_(std::move(jobs)) {}

  class iterator {
   public:
    explicit iterator(Results* owner) : owner_(owner) {}
    const T& operator*() const {
      if constexpr (kInOrder) return owner_->jobs_[at_].result();
      else return (*owner_->current()).result();
    }
    iterator& operator++() {
      ++at_;
      if constexpr (!kInOrder) ++owner_->current();
      return *this;
    }
    bool operator!=(std::nullptr_t) const noexcept { return at_ < owner_->jobs_.size(); }

   private:
    Results* owner_;
    std::size_t at_ = 0;
  };
  iterator begin() { return iterator(this); }
  std::nullptr_t end() const noexcept { return nullptr; }

 private:
  friend iterator;
  // The one that ended next; waits for the first of them.
  typename concurrent::AsCompleted<T>::iterator& current() {
    if (!place_) place_.emplace(completed_.begin());
    return *place_;
  }
  concurrent::AsCompleted<T> completed_;
  std::vector<concurrent::Future<T>> jobs_;
  std::optional<typename concurrent::AsCompleted<T>::iterator> place_;
};

/// `multiprocessing.Pool`: other names for ProcessPoolExecutor.
class Pool {
 public:
  explicit Pool(std::size_t processes = 0) : executor_(ProcessPoolOptions{.max_workers = processes}) {}
  Pool(ProcessPoolOptions options) : executor_(options) {}

  /// The result, by blocking.
  template <class F, class... Args>
  auto apply(F function, const Args&... args) {
    return executor_.submit(function, args...).result();
  }
  template <class F, class... Args>
  auto apply_async(F function, const Args&... args) {
    return executor_.submit(function, args...);
  }
  /// Results in order, when all are there; `chunksize` elements travel together.
  template <class F, class Range>
  auto map(F function, const Range& range, std::size_t chunksize = 1) {
    return executor_.map(function, range, {.chunksize = chunksize});
  }
  /// `function(a, b, …)` of each tuple (a, b, …).
  template <class F, class... Args>
  auto starmap(F function, const std::vector<std::tuple<Args...>>& calls) {
    std::vector<concurrent::Future<detail::RemoteResult<F, Args...>>> jobs;
    for (const auto& call : calls) {
      jobs.push_back(
          std::apply([&](const Args&... args) { return executor_.submit(function, args...); }, call));
    }
    return concurrent::results_of(jobs, Duration::max());
  }
  /// Results in order, each as soon as it and those before it are there; in the order in which they come.
  template <class F, class Range>
  auto imap(F function, const Range& range) {
    return start<true>(function, range);
  }
  template <class F, class Range>
  auto imap_unordered(F function, const Range& range) {
    return start<false>(function, range);
  }

  /// Waits for what was submitted; no more jobs are taken. The destructor does it too.
  void join() { executor_.shutdown(); }
  /// Ends the processes, whatever they do.
  void terminate() { executor_.terminate_workers(); }
  ProcessPoolExecutor& executor() noexcept { return executor_; }

 private:
  template <bool kInOrder, class F, class Range>
  auto start(F function, const Range& range) {
    using T = detail::RemoteResult<F, typename Range::value_type>;
    std::vector<concurrent::Future<T>> jobs;
    for (const auto& element : range) jobs.push_back(executor_.submit(function, element));
    return Results<T, kInOrder>(std::move(jobs));
  }

  ProcessPoolExecutor executor_;
};

}  // namespace eddy::mp

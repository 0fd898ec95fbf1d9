// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/concurrent.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/remote.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

/// A worker process died, or its initializer failed: every job that the pool had ends with this error, and it
/// takes no new ones. The text names the signal or the exit code, and the function that ran.
class BrokenProcessPool : public BrokenExecutor {
  using BrokenExecutor::BrokenExecutor;
};

struct ProcessPoolOptions {
  std::size_t max_workers = 0;          // 0: the number of processors
  std::size_t max_tasks_per_child = 0;  // a process ends after so many jobs and is replaced; 0: never
  bool prestart = true;  // the first job starts all the processes; false: each is started when it is needed
  void (*initializer)() = nullptr;  // called in each process before its first job
};

/// Processes that run plain functions: `concurrent.futures.ProcessPoolExecutor`.
///
///     long count_primes(long below);
///
///     eddy::ProcessPoolExecutor pool{{.max_workers = 4}};
///     long n = co_await loop.run_in_executor(pool, count_primes, 1'000'000);
///     long m = pool.submit(count_primes, 2'000'000).result();  // without a loop, by blocking
///
/// A function runs in a fresh image of this program, in which main() was not called: static objects are
/// there, in the state in which main() would have found them, and nothing that the program did since. Only
/// plain functions and lambdas without captures can be sent; arguments and results travel as bytes (see
/// eddy/pack.hpp), and what refers to something (string_view, span) as a copy of it. An exception comes back
/// with its type and text; one of an unknown type as RemoteError.
///
/// A worker's standard input is /dev/null; it ignores Ctrl-C, and is killed when the program dies, however it
/// does. Its members may be called from any thread. The destructor waits for every job that was submitted.
class ProcessPoolExecutor {
 public:
  static constexpr bool is_executor = true;

  explicit ProcessPoolExecutor(ProcessPoolOptions options = {});
  /// Each process calls `initializer(args...)` first. If that throws, the pool is broken.
  template <class F, class... Args>
  ProcessPoolExecutor(ProcessPoolOptions options, F initializer, const Args&... args)
      : ProcessPoolExecutor(options) {
    set_initializer(detail::pack_call(initializer, std::decay_t<const Args&>(args)...));
  }
  ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
  ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;
  ~ProcessPoolExecutor();

  /// Runs `function(args...)` in a process. Throws RuntimeError after shutdown(), BrokenProcessPool, and what
  /// packing an argument throws. A job that has not begun can be cancelled; one that runs cannot.
  template <class F, class... Args>
  auto submit(F function, const Args&... args) {
    return submit_within(Duration::max(), function, args...);
  }

  /// `function` of each element, in processes; results in the order of the elements. Throws the first
  /// exception in that order, or TimeoutError; then what has not begun is cancelled.
  template <class F, class Range>
  auto map(F function, const Range& range, MapOptions options = {}) {
    return map_within(Duration::max(), function, range, options);
  }

  /// The same pool, for jobs that may run so long: then the process is killed and replaced, and the job ends
  /// with TimeoutError. The time counts from the start of the job, not from submit().
  class Limited {
   public:
    static constexpr bool is_executor = true;
    Limited(ProcessPoolExecutor& pool, Duration limit) noexcept : pool_(&pool), limit_(limit) {}
    template <class F, class... Args>
    auto submit(F function, const Args&... args) {
      return pool_->submit_within(limit_, function, args...);
    }
    template <class F, class Range>
    auto map(F function, const Range& range, MapOptions options = {}) {
      return pool_->map_within(limit_, function, range, options);
    }

   private:
    ProcessPoolExecutor* pool_;
    Duration limit_;
  };
  Limited with_timeout(Duration limit) noexcept { return {*this, limit}; }

  /// Refuses new jobs. `wait`: returns when those that were submitted have run and the processes are gone.
  /// `cancel_futures`: those that have not begun are cancelled.
  void shutdown(bool wait = true, bool cancel_futures = false);
  /// Ends all processes with SIGTERM, or SIGKILL, without waiting. Jobs that run end with BrokenProcessPool,
  /// the others are cancelled.
  void terminate_workers();
  void kill_workers();

  /// Process ids of the workers there are.
  std::vector<int> worker_pids() const;

 private:
  struct Impl;
  template <class F, class... Args>
  auto submit_within(Duration limit, F function, const Args&... args) {
    using T = detail::RemoteResult<F, Args...>;
    return enqueue<T>(detail::pack_call<F, std::decay_t<const Args&>...>(function, args...),
                      detail::RemoteCall<F, std::decay_t<const Args&>...>::code(function), typeid(F), limit);
  }
  template <class F, class Range>
  auto map_within(Duration limit, F function, const Range& range, MapOptions options);
  template <class T>
  concurrent::Future<T> enqueue(Parcel call, const void* code, const std::type_info& type, Duration limit) {
    auto state = std::make_shared<detail::BlockingBox<T>>();
    enqueue(std::make_unique<detail::TypedRemoteJob<T>>(state, std::move(call), code, type, limit));
    return concurrent::Future<T>(std::move(state));
  }
  void enqueue(std::unique_ptr<detail::RemoteJob> job);
  void set_initializer(Parcel call);

  std::shared_ptr<Impl> impl_;
};

template <class F, class Range>
auto ProcessPoolExecutor::map_within(Duration limit, F function, const Range& range, MapOptions options) {
  using E = typename Range::value_type;
  using Map = detail::RemoteMap<F, E>;
  using T = typename Map::Result;
  std::vector<concurrent::Future<std::vector<T>>> jobs;
  std::vector<E> chunk;
  const auto send = [&] {
    jobs.push_back(
        enqueue<std::vector<T>>(Map::pack(function, chunk), Map::Call::code(function), typeid(F), limit));
    chunk.clear();
  };
  for (const auto& element : range) {
    chunk.push_back(element);
    if (chunk.size() >= options.chunksize) send();
  }
  if (!chunk.empty()) send();
  std::vector<T> results;
  for (auto& part : concurrent::results_of(jobs, options.timeout)) {
    for (auto&& result : part) results.push_back(std::move(result));
  }
  return results;
}

}  // namespace eddy

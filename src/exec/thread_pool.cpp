// SPDX-License-Identifier: MIT
#include <eddy/concurrent.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "exec/exception_text.hpp"
#include "exec/quiet_thread.hpp"
#include "loop/loop.hpp"

namespace eddy {
namespace {

std::size_t usual_workers() {
  return std::min<std::size_t>(32, std::max(1u, std::thread::hardware_concurrency()) + 4);
}

std::string prefix_of(const ThreadPoolOptions& options) {
  static std::atomic<int> pools{0};
  if (!options.thread_name_prefix.empty()) return std::string(options.thread_name_prefix);
  return fmt::format("pool-{}", pools++);
}

}  // namespace

struct ThreadPoolExecutor::Impl {
  struct Worker {
    std::string name;
    bool busy = false;
    std::thread thread;
  };

  mutable std::mutex mutex;
  std::condition_variable work;
  std::condition_variable ended;
  std::deque<detail::Job> jobs;
  std::deque<Worker> workers;  // a worker stays where it is
  std::string prefix;
  std::shared_ptr<detail::Callable> initializer;
  std::exception_ptr broken;
  std::size_t alive = 0;
  std::size_t idle = 0;
  std::size_t max_workers = 0;
  bool shut_down = false;

  void run_worker(Worker& worker) {
    pthread_setname_np(pthread_self(), worker.name.substr(0, 15).c_str());
    std::unique_lock lock(mutex);
    if (initialise(lock)) run_jobs(worker, lock);
    --alive;
    ended.notify_all();
  }

  bool initialise(std::unique_lock<std::mutex>& lock) {
    const auto call = initializer;
    if (!call) return true;
    lock.unlock();
    std::exception_ptr failure;
    try {
      call->call();
    } catch (...) {
      failure = std::make_exception_ptr(BrokenThreadPool(fmt::format(
          "the initializer of a thread of the pool failed: {}", detail::text_of_current_exception())));
    }
    std::deque<detail::Job> dropped;
    lock.lock();
    if (!failure) return true;
    if (!broken) broken = failure;
    dropped.swap(jobs);
    lock.unlock();
    for (auto& job : dropped) job.fail(failure);
    lock.lock();
    return false;
  }

  void run_jobs(Worker& worker, std::unique_lock<std::mutex>& lock) {
    for (;;) {
      ++idle;
      detail::thread_idle(true);
      work.wait(lock, [this] { return shut_down || !jobs.empty(); });
      detail::thread_idle(false);
      --idle;
      if (jobs.empty()) return;
      auto job = std::move(jobs.front());
      jobs.pop_front();
      worker.busy = true;
      lock.unlock();
      job();
      lock.lock();
      worker.busy = false;
    }
  }

  void start_worker(const std::shared_ptr<Impl>& self) {
    auto& worker = workers.emplace_back();
    worker.name = fmt::format("{}_{}", prefix, workers.size() - 1);
    ++alive;
    try {
      worker.thread = detail::quiet_thread([self, &worker] { self->run_worker(worker); });
    } catch (...) {
      --alive;
      workers.pop_back();
      throw;
    }
  }
};

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->max_workers = options.max_workers ? options.max_workers : usual_workers();
  impl_->prefix = prefix_of(options);
  if (options.initializer) {
    impl_->initializer = std::make_shared<detail::CallableFunction<void (*)()>>(options.initializer);
  }
}

ThreadPoolExecutor::~ThreadPoolExecutor() { shutdown(); }

void ThreadPoolExecutor::set_initializer(std::shared_ptr<detail::Callable> initializer) {
  impl_->initializer = std::move(initializer);
}

void ThreadPoolExecutor::enqueue(detail::Job job) {
  auto& pool = *impl_;
  const std::lock_guard lock(pool.mutex);
  if (pool.broken) std::rethrow_exception(pool.broken);
  if (pool.shut_down) throw RuntimeError("the thread pool takes no new jobs after shutdown()");
  pool.jobs.push_back(std::move(job));
  if (pool.idle < pool.jobs.size() && pool.workers.size() < pool.max_workers) {
    try {
      pool.start_worker(impl_);
    } catch (...) {
      if (pool.workers.empty()) {  // nobody is there to run it
        pool.jobs.pop_back();
        throw;
      }
    }
  } else {
    pool.work.notify_one();
  }
}

void ThreadPoolExecutor::shutdown(bool wait, bool cancel_futures) {
  std::vector<std::thread> threads;
  std::deque<detail::Job> dropped;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->shut_down = true;
    if (cancel_futures) dropped.swap(impl_->jobs);
    for (auto& worker : impl_->workers) {
      if (worker.thread.joinable()) threads.push_back(std::move(worker.thread));
    }
    impl_->work.notify_all();
  }
  dropped.clear();
  for (auto& thread : threads) {
    if (wait) thread.join();
    else thread.detach();  // it keeps what it runs on
  }
}

bool ThreadPoolExecutor::shutdown_within(Duration timeout) {
  bool all_ended = true;
  if (timeout < Duration::max()) {
    std::unique_lock lock(impl_->mutex);
    impl_->shut_down = true;
    impl_->work.notify_all();
    all_ended = impl_->ended.wait_for(lock, std::chrono::nanoseconds(timeout.count()),
                                      [this] { return impl_->alive == 0; });
  }
  if (all_ended) shutdown();
  return all_ended;
}

std::vector<std::string> ThreadPoolExecutor::busy_threads() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> names;
  for (const auto& worker : impl_->workers) {
    if (worker.busy) names.push_back(worker.name);
  }
  return names;
}

}  // namespace eddy

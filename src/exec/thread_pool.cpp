// SPDX-License-Identifier: MIT
#include <eddy/concurrent.hpp>
#include <eddy/exceptions.hpp>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "loop/loop.hpp"

namespace eddy {

struct ThreadPoolExecutor::Impl {
  std::mutex mutex;
  std::condition_variable work;
  std::deque<detail::Job> jobs;
  std::vector<std::thread> threads;
  std::size_t idle = 0;
  std::size_t max_workers = 0;
  bool shut_down = false;

  void run_worker() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      detail::thread_idle(true);
      work.wait(lock, [this] { return shut_down || !jobs.empty(); });
      detail::thread_idle(false);
      --idle;
      if (jobs.empty()) return;
      auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }
};

namespace {

std::size_t usual_workers() { return std::min<std::size_t>(32, std::max(1u, std::thread::hardware_concurrency()) + 4); }

// A thread that leaves every signal to the loops.
template <class F>
std::thread quiet_thread(F function) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(function));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->max_workers = options.max_workers ? options.max_workers : usual_workers();
}

ThreadPoolExecutor::~ThreadPoolExecutor() { shutdown(); }

void ThreadPoolExecutor::enqueue(detail::Job job) {
  auto& pool = *impl_;
  const std::lock_guard lock(pool.mutex);
  if (pool.shut_down) throw RuntimeError("the thread pool takes no new jobs after shutdown()");
  pool.jobs.push_back(std::move(job));
  if (pool.idle < pool.jobs.size() && pool.threads.size() < pool.max_workers) {
    pool.threads.push_back(quiet_thread([self = impl_] { self->run_worker(); }));
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
    threads.swap(impl_->threads);
    impl_->work.notify_all();
  }
  dropped.clear();
  for (auto& thread : threads) {
    if (wait) thread.join();
    else thread.detach();  // it keeps what it runs on
  }
}

}  // namespace eddy

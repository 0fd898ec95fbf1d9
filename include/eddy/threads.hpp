// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <eddy/concurrent.hpp>
#include <eddy/coro.hpp>
#include <eddy/events.hpp>
#include <eddy/tasks.hpp>
#include <type_traits>
#include <utility>

namespace eddy {

namespace detail {

ThreadPoolExecutor& default_executor(LoopCore& loop);

/// Posts a job's end from its thread to the waiting task's loop. Lives until both have let go of it.
class ThreadWait : public ReadyNode {
 public:
  explicit ThreadWait() noexcept { run = &job_ended; }
  ThreadWait(const ThreadWait&) = delete;
  ThreadWait& operator=(const ThreadWait&) = delete;
  virtual ~ThreadWait() = default;

  void wait(TaskCore& task, std::coroutine_handle<> where) noexcept;
  /// On the job's thread, last.
  void post_end() noexcept;
  /// The awaiter is gone. A job that still runs keeps this alive.
  void leave() noexcept;
  /// On the job's thread: false if the wait was cancelled before the job began.
  bool begin() noexcept;
  /// After the await: throws CancelledError.
  void finish_wait();

 private:
  // Changed by the thread's begin() against the task's cancel().
  static constexpr unsigned char kQueued = 0, kBegun = 1, kSkipped = 2;
  static void job_ended(ReadyNode& node, Dispatch how) noexcept;
  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void detach_wait(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kOps;

  LoopCore* loop_ = nullptr;
  TaskCore* waiter_ = nullptr;
  unsigned char state_ = kQueued;  // atomic
  bool ended_ = false;
  bool left_ = false;
};

template <class F>
struct ThreadJob final : ThreadWait {
  using T = std::invoke_result_t<F&>;
  explicit ThreadJob(F f) : function(std::move(f)) {}

  void execute() noexcept {
    if (begin()) {
      try {
        if constexpr (std::is_void_v<T>) function(), result.set_value();
        else result.set_value(function());
      } catch (...) {
        result.set_current_exception();
      }
    }
    post_end();
  }

  F function;
  ResultSlot<T> result;
};

template <class F>
class [[nodiscard("co_await it")]] ThreadAwaiter {
 public:
  ThreadAwaiter(ThreadPoolExecutor* pool, F function) : pool_(pool), job_(new ThreadJob<F>(std::move(function))) {}
  ThreadAwaiter(ThreadAwaiter&& other) noexcept : pool_(other.pool_), job_(std::exchange(other.job_, nullptr)) {}
  ~ThreadAwaiter() {
    if (!job_) return;
    if (submitted_) job_->leave();
    else delete job_;
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where) {
    TaskCore& task = current_task_core();
    auto& pool = pool_ ? *pool_ : default_executor(*task.loop);
    job_->wait(task, where);
    submitted_ = true;
    pool.enqueue([job = job_] { job->execute(); });
  }
  auto await_resume() {
    job_->finish_wait();
    return job_->result.take();
  }

 private:
  ThreadPoolExecutor* pool_;
  ThreadJob<F>* job_;
  bool submitted_ = false;
};

template <class F, class... Args>
auto bind_call(F function, Args... args) {
  return [function = std::move(function), ... args = std::move(args)]() mutable -> decltype(auto) {
    return function(std::move(args)...);
  };
}
template <class F>
auto run_on(ThreadPoolExecutor* pool, F function) {
  return ThreadAwaiter<F>(pool, std::move(function));
}

}  // namespace detail

/// Calls `function(args...)` on a thread of the loop's pool; gives its value or throws its exception. Both
/// are moved into the job.
///
/// Cancelling the wait: a job that has not begun is dropped; one that runs is waited for, because it may
/// refer to what the awaiting coroutine keeps alive, and then CancelledError is thrown.
template <class F, class... Args>
auto to_thread(F function, Args... args) {
  return detail::run_on(nullptr, detail::bind_call(std::move(function), std::move(args)...));
}

template <class Executor, class... Args>
auto EventLoop::run_in_executor(Executor&& executor, Args&&... args) {
  if constexpr (std::is_same_v<std::remove_cvref_t<Executor>, ThreadPoolExecutor>) {
    return detail::run_on(&executor, detail::bind_call(std::decay_t<Args>(std::forward<Args>(args))...));
  } else {
    return detail::run_on(nullptr, detail::bind_call(std::decay_t<Executor>(std::forward<Executor>(executor)),
                                                     std::decay_t<Args>(std::forward<Args>(args))...));
  }
}

namespace detail {

/// The task of a run_coroutine_threadsafe(), reached from other threads; filled and emptied on the loop's.
using SharedTask = std::shared_ptr<AnyTask>;

template <class T>
Coro<> run_for_thread(Coro<T> coroutine, std::shared_ptr<BlockingBox<T>> state, SharedTask task) {
  struct Forget {
    AnyTask& task;
    explicit Forget(AnyTask& t) noexcept : task(t) {}
    ~Forget() { task = {}; }
  } forget(*task);
  try {
    if constexpr (std::is_void_v<T>) co_await std::move(coroutine);
    else state->holder.set(co_await std::move(coroutine));
  } catch (const CancelledError&) {
    state->finish_cancelled();
    throw;
  } catch (...) {
    state->finish(std::current_exception());
    co_return;
  }
  state->finish(nullptr);
}

}  // namespace detail

/// Schedules a coroutine on a loop that runs on another thread; the result can be waited for by blocking.
/// Cancelling the result cancels the task. Throws RuntimeError if the loop is closed.
template <class T>
concurrent::Future<T> run_coroutine_threadsafe(Coro<T> coroutine, EventLoop& loop) {
  auto state = std::make_shared<detail::BlockingBox<T>>();
  auto task = std::make_shared<AnyTask>();
  state->on_done([&loop, task, watched = state.get()] {
    if (!watched->cancelled()) return;
    loop.call_soon_threadsafe([task] {
      if (*task) task->cancel();
    });
  });
  loop.call_soon_threadsafe([&loop, state, task, coroutine = std::move(coroutine)]() mutable {
    auto running = loop.create_task(detail::run_for_thread<T>(std::move(coroutine), state, task));
    if (state->cancelled()) running.cancel();
    *task = running;
  });
  return concurrent::Future<T>(std::move(state));
}

}  // namespace eddy

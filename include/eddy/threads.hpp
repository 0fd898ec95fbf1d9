// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <eddy/concurrent.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/concurrent_await.hpp>
#include <eddy/detail/references.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/events.hpp>
#include <eddy/limiter.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace eddy {

namespace detail {

ThreadPoolExecutor& default_executor(LoopCore& loop);

/// A job on a thread and the task that waits for it. Counted: by the awaiter, by the pool, and by the
/// loop's inbox once the job has ended. What the job is and gives dies on the loop's thread.
///
///     queued ---begin()---> busy ---post_end()---> over
///       |                     ^
///       |                     '--- drop(): the pool threw the job away
///       '---the wait is cancelled---> skipped
class ThreadWait : public ReadyNode {
 public:
  explicit ThreadWait() noexcept { run = &job_ended; }
  ThreadWait(const ThreadWait&) = delete;
  ThreadWait& operator=(const ThreadWait&) = delete;

  // On the loop's thread.
  void prepare(TaskCore& task) noexcept;              // before the job is handed to the pool
  void wait(std::coroutine_handle<> where) noexcept;  // after
  /// After the await: throws CancelledError if the task was cancelled, or the job thrown away.
  void finish_wait();
  /// The awaiter is gone.
  void leave() noexcept;

  // On the job's thread.
  bool begin() noexcept;  // false: the wait was cancelled before the job began
  void post_end() noexcept;
  void drop() noexcept;
  void retain() noexcept { add_reference(references_); }
  void release() noexcept {
    if (drop_reference(references_)) delete this;
  }

 protected:
  virtual ~ThreadWait() = default;
  virtual void clear() noexcept = 0;  // destroys the function and what it gave
  virtual void request_stop() noexcept = 0;

 private:
  enum class State : unsigned char { queued, busy, skipped, over };
  bool leave_queue(State to) noexcept;
  static void job_ended(ReadyNode& node, Dispatch how) noexcept;
  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void detach_wait(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kOps;

  LoopCore* loop_ = nullptr;
  TaskCore* waiter_ = nullptr;
  std::uint32_t references_ = 1;
  State state_ = State::queued;  // atomic
  bool dropped_ = false;
};

/// What asks a call to stop, if it can be asked: `request_stop()`.
struct Unstoppable {
  void request_stop() const noexcept {}
};
template <class F>
auto stop_of(const F& call) {
  if constexpr (requires { call.stop; }) return call.stop;
  else return Unstoppable();
}
template <class F>
auto stop_of(const InContext<F>& call) {
  return stop_of(call.function());
}

template <class F>
struct ThreadJob final : ThreadWait {
  using T = std::invoke_result_t<F&>;
  explicit ThreadJob(F f) : function(std::move(f)), result(std::in_place) {}

  void execute() noexcept {
    if (!begin()) return;
    try {
      if constexpr (std::is_void_v<T>) (*function)(), result->set_value();
      else result->set_value((*function)());
    } catch (...) {
      result->set_current_exception();
    }
    post_end();
  }
  void fail(const std::exception_ptr& error) noexcept {
    if (!begin()) return;
    try {
      std::rethrow_exception(error);
    } catch (...) {
      result->set_current_exception();
    }
    post_end();
  }

  std::optional<F> function;
  std::optional<ResultSlot<T>> result;

 private:
  void clear() noexcept override {
    function.reset();
    result.reset();
  }
  void request_stop() noexcept override {
    stop_of(*function).request_stop();
  }
};

/// The pool's hold of a job.
template <class Thread>
class SubmittedJob {
 public:
  explicit SubmittedJob(Thread& job) noexcept : job_(&job) { job.retain(); }
  SubmittedJob(SubmittedJob&& other) noexcept : job_(std::exchange(other.job_, nullptr)) {}
  SubmittedJob& operator=(SubmittedJob&&) = delete;
  ~SubmittedJob() {
    if (!job_) return;
    job_->drop();
    job_->release();
  }
  void operator()() {
    auto* job = std::exchange(job_, nullptr);
    job->execute();
    job->release();
  }
  void fail(const std::exception_ptr& error) {
    auto* job = std::exchange(job_, nullptr);
    job->fail(error);
    job->release();
  }

 private:
  Thread* job_;
};

template <class F>
class [[nodiscard("co_await it")]] ThreadAwaiter {
 public:
  ThreadAwaiter(ThreadPoolExecutor* pool, F function) : pool_(pool), job_(new ThreadJob<F>(std::move(function))) {}
  ThreadAwaiter(ThreadAwaiter&& other) noexcept : pool_(other.pool_), job_(std::exchange(other.job_, nullptr)) {}
  ~ThreadAwaiter() {
    if (job_) job_->leave();
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where) {
    TaskCore& task = current_task_core();
    auto& pool = pool_ ? *pool_ : default_executor(*task.loop);
    job_->prepare(task);
    pool.enqueue(SubmittedJob<ThreadJob<F>>(*job_));
    job_->wait(where);
  }
  auto await_resume() {
    job_->finish_wait();
    return job_->result->take();
  }

 private:
  ThreadPoolExecutor* pool_;
  ThreadJob<F>* job_;
};

/// How `function(token, args...)` is called, token first; void: not at all. eddy/stop_token.hpp has the others.
template <class F, class... Args>
struct CallWithToken {
  using type = void;
};

template <class F, class... Args>
auto bind_call(F function, Args... args) {
  using WithToken = typename CallWithToken<F, Args...>::type;
  if constexpr (std::is_invocable_v<F&, Args&&...>) {
    static_assert(!Awaitable<std::invoke_result_t<F&, Args&&...>>,
                  "eddy: a thread calls plain functions, and this one makes a coroutine: co_await it here instead");
    return [function = std::move(function), ... args = std::move(args)]() mutable -> decltype(auto) {
      return function(std::move(args)...);
    };
  } else if constexpr (!std::is_void_v<WithToken>) {
    return WithToken(std::move(function), std::move(args)...);
  } else {
    static_assert(kNever<F>, "eddy: the function cannot be called with copies of these arguments on another thread; give "
                             "std::ref(x) for what outlives the call; for a function that takes a std::stop_token include "
                             "<eddy/stop_token.hpp>");
  }
}
template <class F>
auto run_on(ThreadPoolExecutor* pool, F function) {
  return ThreadAwaiter<F>(pool, std::move(function));
}

}  // namespace detail

/// Calls `function(args...)` on a thread of the loop's pool, in a copy of the calling context; gives its value
/// or throws its exception. Both are moved into the job. Throws RuntimeError after shutdown_default_executor().
///
/// Cancelling the wait: a job that has not begun is dropped; one that runs is waited for, because it may
/// refer to what the awaiting coroutine keeps alive, and then CancelledError is thrown. With eddy/stop_token.hpp, a
/// function that takes a std::stop_token first is asked to stop by it.
template <class F, class... Args>
auto to_thread(F function, Args... args) {
  return detail::run_on(nullptr, detail::InContext(detail::bind_call(std::move(function), std::move(args)...)));
}

/// How to_thread() goes about it: trio's to_thread.run_sync.
struct ToThreadOptions {
  bool abandon = false;                    // a cancelled wait ends at once; the function goes on by itself
  CapacityLimiter* limiter = nullptr;      // borrow a token of it first
  ThreadPoolExecutor* executor = nullptr;  // null: the loop's pool
};

namespace detail {

void check_options(const ToThreadOptions& options);

template <class F>
Coro<std::invoke_result_t<F&>> run_abandoned(ThreadPoolExecutor& pool, F call) {
  using T = std::invoke_result_t<F&>;
  auto stop = stop_of(call);
  auto future = pool.submit(std::move(call));
  try {
    if constexpr (std::is_void_v<T>) co_await ConcurrentAwaiter<T, true>(std::move(future));
    else co_return co_await ConcurrentAwaiter<T, true>(std::move(future));
  } catch (const CancelledError&) {
    stop.request_stop();
    throw;
  }
}

template <class F>
Coro<std::invoke_result_t<F&>> run_with_options(ToThreadOptions options, F call) {
  check_options(options);
  std::optional<CapacityLimiter::Token> token;
  if (options.limiter) token.emplace(co_await *options.limiter);
  auto& pool = options.executor ? *options.executor : default_executor(running_loop_core());
  if (options.abandon) co_return co_await run_abandoned(pool, std::move(call));
  co_return co_await run_on(&pool, std::move(call));
}

}  // namespace detail

/// The same with options. With `.abandon`, what the function refers to must outlive it, not the await; it
/// takes no `.limiter`, whose token could not be given back in time: ValueError.
template <class F, class... Args>
auto to_thread(ToThreadOptions options, F function, Args... args) {
  return detail::run_with_options(options, detail::InContext(detail::bind_call(std::move(function), std::move(args)...)));
}

template <class Executor, class... Args>
auto EventLoop::run_in_executor(Executor&& executor, Args&&... args) {
  using Pool = std::remove_cvref_t<Executor>;
  if constexpr (std::is_same_v<Pool, ThreadPoolExecutor>) {
    return detail::run_on(&executor, detail::bind_call(std::decay_t<Args>(std::forward<Args>(args))...));
  } else if constexpr (requires { Pool::is_executor; }) {
    using T = typename decltype(executor.submit(args...))::value_type;
    return detail::ConcurrentAwaiter<T, true>(executor.submit(args...));
  } else {
    return detail::run_on(nullptr, detail::bind_call(std::decay_t<Executor>(std::forward<Executor>(executor)),
                                                     std::decay_t<Args>(std::forward<Args>(args))...));
  }
}

/// Awaits a result of another thread: `asyncio.wrap_future`. Gives a copy of it.
///
/// Cancelling the wait cancels the future if its work has not begun; work that runs goes on, and its result
/// is dropped.
template <class T>
[[nodiscard("co_await it")]] auto wrap_future(concurrent::Future<T> future) {
  return detail::ConcurrentAwaiter<T, false>(std::move(future));
}

namespace detail {

/// The task of a run_coroutine_threadsafe(), reached from other threads; filled and emptied on the loop's.
using SharedTask = std::shared_ptr<AnyTask>;

/// Ends a run_coroutine_threadsafe() as cancelled when its coroutine goes without having done so: cancelled
/// before it began, or destroyed with its loop.
template <class T>
class ThreadsafeRun {
 public:
  ThreadsafeRun(std::shared_ptr<BlockingBox<T>> result, SharedTask shared) noexcept
      : state(std::move(result)), task(std::move(shared)) {}
  ThreadsafeRun(ThreadsafeRun&&) noexcept = default;
  ThreadsafeRun& operator=(ThreadsafeRun&&) = delete;
  ~ThreadsafeRun() {
    if (!state) return;
    *task = {};
    state->finish_cancelled();
  }

  std::shared_ptr<BlockingBox<T>> state;
  SharedTask task;
};

template <class T>
Coro<> run_for_thread(Coro<T> coroutine, ThreadsafeRun<T> run) {
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) co_await std::move(coroutine);
    else run.state->holder.set(co_await std::move(coroutine));
  } catch (const CancelledError&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  run.state->finish(std::move(error));
}

}  // namespace detail

/// Schedules a coroutine on a loop that runs on another thread; the result can be waited for by blocking.
/// Cancelling the result cancels the task; a loop that closes cancels the result. Throws RuntimeError if the
/// loop is closed already.
template <class T>
concurrent::Future<T> run_coroutine_threadsafe(Coro<T> coroutine, EventLoop& loop) {
  auto state = std::make_shared<detail::BlockingBox<T>>();
  auto task = std::make_shared<AnyTask>();
  state->on_done([&loop, task, watched = state.get()] {
    if (!watched->cancelled()) return;
    try {
      loop.call_soon_threadsafe([task] {
        if (*task) task->cancel();
      });
    } catch (const std::exception&) {
      // The loop is closed, and the task is gone with it.
    }
  });
  detail::ThreadsafeRun<T> run(state, task);
  loop.call_soon_threadsafe([&loop, run = std::move(run), coroutine = std::move(coroutine)]() mutable {
    const auto shared = run.task;
    const auto result = run.state;
    auto running = loop.create_task(detail::run_for_thread<T>(std::move(coroutine), std::move(run)));
    if (result->cancelled()) running.cancel();
    else *shared = running;
  });
  return concurrent::Future<T>(std::move(state));
}

}  // namespace eddy

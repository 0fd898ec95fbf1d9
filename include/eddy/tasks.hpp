// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/context.hpp>
#include <eddy/detail/future_await.hpp>
#include <eddy/detail/task_core.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy {

class Context;
class EventLoop;
struct CallStack;  // in eddy/inspect.hpp

/// How a task is made.
struct TaskOptions {
  std::string_view name = {};        // copied; empty: "Task-N"
  const Context* context = nullptr;  // the one it runs in; null: a copy of its maker's
  bool eager_start = false;          // runs at once up to its first wait, inside its maker, if the loop runs
};

enum class TaskState : unsigned char { pending, running, done, cancelled };

/// A handle of a task whose result type is not known: what current_task() and all_tasks() give.
///
/// A handle may be copied and dropped at will on the loop's thread: dropping it neither cancels nor loses
/// the task, which its loop owns until it ends.
class AnyTask {
 public:
  AnyTask() noexcept = default;
  AnyTask(const AnyTask& other) noexcept : core_(other.core_) {
    if (core_) core_->retain();
  }
  AnyTask(AnyTask&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  AnyTask& operator=(AnyTask other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~AnyTask() {
    if (core_) core_->release();
  }

  explicit operator bool() const noexcept { return core_ != nullptr; }
  friend bool operator==(const AnyTask& a, const AnyTask& b) noexcept { return a.core_ == b.core_; }

  bool done() const noexcept { return core_->done(); }
  bool cancelled() const noexcept { return core_->cancelled(); }

  /// Asks the task to end: CancelledError is thrown at the await at which it stands, and what it awaits is
  /// cancelled. False if it is done. It may clean up, and may refuse by swallowing the exception.
  bool cancel() const noexcept { return core_->cancel_task(nullptr); }
  /// The same with a text for CancelledError::message().
  bool cancel(std::string_view message) const;
  /// Takes one cancel() back; the number that are left. At 0, one that was not yet delivered is forgotten.
  int uncancel() const noexcept { return core_->uncancel(); }
  /// How many cancel() calls have not been taken back.
  int cancelling() const noexcept { return core_->cancel_requests; }

  /// `done`: with a value or an exception.
  TaskState state() const noexcept;

  std::string_view name() const;
  void set_name(std::string_view name) const;

  /// Its exception, or null. Throws InvalidStateError if it is not done, CancelledError if it was cancelled.
  std::exception_ptr exception() const { return detail::read_exception(*core_); }

  /// The context it runs in. Include eddy/contextvars.hpp.
  Context get_context() const;
  /// The loop it belongs to. Include eddy/events.hpp.
  EventLoop& get_loop() const noexcept;
  /// Where it is suspended: its coroutines, the outermost first; the innermost `limit` of them. Of a running
  /// task the outermost alone; of one that failed, those that its exception came through. Include eddy/inspect.hpp.
  CallStack get_stack(int limit = 0x7fffffff) const;
  /// The same as text, to stderr.
  void print_stack(int limit = 0x7fffffff) const;

  /// For eddy's own layers.
  detail::TaskCore& core() const noexcept { return *core_; }
  static AnyTask from_core(detail::FutureCore& core) noexcept {
    core.retain();
    return AnyTask(static_cast<detail::TaskCore*>(&core));
  }

 protected:
  explicit AnyTask(detail::TaskCore* core) noexcept : core_(core) {}

  detail::TaskCore* core_ = nullptr;
};

namespace detail {

/// Destroys a task's root frame and ends the task as its coroutine ended: with a value, which has been taken out of it.
void conclude_task(TaskCore& task, std::coroutine_handle<> frame) noexcept;
/// With an exception.
void conclude_failed_task(TaskCore& task, PromiseBase& promise, std::coroutine_handle<> frame, Outcome outcome,
                          const std::exception_ptr& error) noexcept;

template <class T>
struct TaskBox final : TaskCore, Pooled {
  TaskBox(LoopCore* owner, std::coroutine_handle<CoroPromise<T>> frame) noexcept
      : TaskCore(owner, &kOps, frame) {}
  [[no_unique_address]] ValueHolder<T> holder;

 private:
  using Frame = std::coroutine_handle<CoroPromise<T>>;
  static void destroy_box(FutureCore& core) noexcept { delete static_cast<TaskBox*>(&core); }
  static void collect_result(TaskCore& core) noexcept {
    auto frame = Frame::from_address(core.root);
    auto& result = frame.promise();
    [[maybe_unused]] auto& box = static_cast<TaskBox&>(core);
    if (result.outcome != Outcome::value) [[unlikely]] {
      return conclude_failed_task(core, result, frame, result.outcome, result.error());
    }
    if constexpr (std::is_reference_v<T>) box.holder.set(*result.value());
    else if constexpr (!std::is_void_v<T>) box.holder.set(std::move(result.value()));
    conclude_task(core, frame);
  }
  static constexpr FutureOps kOps{&destroy_box, &collect_result};
};

/// Where a task is made.
struct Site {
  const char* file = "";
  int line = 0;
};

void name_task(TaskCore& task, std::string_view name);
// The options one by one: whole, they would have to be in memory also where nobody looks at them.
void start_task_specially(TaskCore& task, std::string_view name, const Context* context, bool eager_start);

/// Puts a new task onto the ready queue, or wherever the options and the loop's factory send it.
inline void start_task(TaskCore& task, const TaskOptions& options) {
  if (options.context || options.eager_start || task.loop->starts_are_special || has_context()) [[unlikely]] {
    return start_task_specially(task, options.name, options.context, options.eager_start);
  }
  if (!options.name.empty()) name_task(task, options.name);
  task.loop->ready.push(task);
}

}  // namespace detail

/// A coroutine scheduled on its loop: `asyncio.Task`.
///
///     Task<int> task = create_task(answer(), {.name = "deep thought"});
///     int x = co_await task;              // a reference to the result; co_await std::move(task) moves it out
///
/// Any number of tasks may await it. If it failed and nobody ever looks, the exception is reported when
/// the last handle goes.
template <class T = void>
class Task : public AnyTask {
 public:
  using value_type = T;

  Task() noexcept = default;

  /// The value; throws the task's exception, CancelledError, or InvalidStateError while it runs.
  detail::ConstResult<T> result() const {
    core_->throw_unless_done();
    return detail::read_result<T>(*core_, box()->holder);
  }

  /// Calls `callback(Task<T>&)` through the loop once the task is done, in order of registration and in the
  /// context of this call.
  template <class F>
  DoneCallbackHandle add_done_callback(F callback) const {
    return detail::add_done_callback<Task>(*core_, std::move(callback));
  }
  /// It will not be called. False if the task is done or it was removed before.
  bool remove_done_callback(const DoneCallbackHandle& callback) const noexcept { return callback.remove(*core_); }

  auto operator co_await() const& noexcept { return detail::FutureAwaiter<T, Box, false>(box()); }
  auto operator co_await() && noexcept { return detail::FutureAwaiter<T, Box, true>(box()); }

  /// For eddy's own layers.
  detail::ValueHolder<T>& holder() const noexcept { return box()->holder; }
  static Task from_core(detail::FutureCore& core) noexcept {
    core.retain();
    return Task(static_cast<Box*>(&core));
  }
  static Task start(detail::LoopCore& loop, Coro<T> coroutine, TaskOptions options, detail::Site site) {
    auto frame = coroutine.release();
    auto* box = new Box(&loop, frame);
    detail::PromiseBase& promise = frame.promise();
    promise.continuation = const_cast<char*>(site.file);
    promise.created_line = static_cast<std::uint16_t>(site.line);  // and what lies beside it: one store
    promise.progress = detail::Progress::root;
    Task task(box);
    detail::start_task(*box, options);
    return task;
  }

 private:
  using Box = detail::TaskBox<T>;
  explicit Task(Box* box) noexcept : AnyTask(box) {}
  Box* box() const noexcept { return static_cast<Box*>(core_); }
};

namespace detail {

/// Makes a coroutine of any awaitable, which it keeps. A shared handle keeps its result, a temporary gives it up.
template <bool kShared, class A>
Coro<std::remove_cvref_t<AwaitResult<A&&>>> coroutine_of(A awaitable) {
  using eddy_body [[maybe_unused]] = int;  // g++ 12: a body without any declaration may not run
  if constexpr (kShared) co_return co_await awaitable;
  else co_return co_await std::move(awaitable);
}
/// Keeps a callable and its arguments in the frame for as long as what they return runs.
template <class F, class... Args>
Coro<AwaitValue<std::invoke_result_t<F&, Args...>>> coroutine_of_call(F function, Args... args) {
  using eddy_body [[maybe_unused]] = int;
  co_return co_await function(std::move(args)...);
}

template <class A>
inline constexpr bool kIsCoro = false;
template <class T>
inline constexpr bool kIsCoro<Coro<T>> = true;

/// A Coro as it is; anything else wrapped.
template <class A>
auto as_coroutine(A&& awaitable) {
  static_assert(!(kIsCoro<std::remove_cvref_t<A>> && std::is_lvalue_reference_v<A>),
                "eddy: a Coro runs once and is handed over: std::move(coro), or call the function right here");
  if constexpr (kIsCoro<std::remove_cvref_t<A>>) {
    awaitable.check_unused();
    return Coro<typename std::remove_cvref_t<A>::value_type>(std::move(awaitable));
  } else {
    return coroutine_of<std::is_lvalue_reference_v<A>, std::decay_t<A>>(std::forward<A>(awaitable));
  }
}

}  // namespace detail

/// Whether T is a Coro: `asyncio.iscoroutine`.
template <class T>
inline constexpr bool iscoroutine = detail::kIsCoro<std::remove_cvref_t<T>>;
/// Whether F, called with Args, gives a Coro: `asyncio.iscoroutinefunction`.
template <class F, class... Args>
inline constexpr bool iscoroutinefunction = [] {
  if constexpr (std::is_invocable_v<F, Args...>) return iscoroutine<std::invoke_result_t<F, Args...>>;
  else return false;
}();

/// Schedules a coroutine, or any awaitable, on the running loop: it starts at the loop's next turn.
/// Throws RuntimeError where no loop runs.
template <detail::Awaitable A>
auto create_task(A&& awaitable, TaskOptions options = {}, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
  auto coroutine = detail::as_coroutine(std::forward<A>(awaitable));
  using T = typename decltype(coroutine)::value_type;
  return Task<T>::start(detail::running_loop_core(), std::move(coroutine), options, {file, line});
}

template <class T>
Task<T> create_task(Coro<T>&, TaskOptions = {}) {
  static_assert(detail::kNever<T>, "eddy: create_task() takes over the coroutine: create_task(std::move(coro))");
}

/// Schedules `function(args...)`. The function and its arguments are moved into the task, so a capturing
/// lambda and values given here live as long as it runs.
template <class F, class... Args>
  requires detail::CoroutineFunction<std::decay_t<F>&, std::decay_t<Args>...>
auto create_task(F&& function, Args&&... args) {
  auto coroutine = detail::coroutine_of_call<std::decay_t<F>, std::decay_t<Args>...>(std::forward<F>(function),
                                                                                    std::forward<Args>(args)...);
  using T = typename decltype(coroutine)::value_type;
  return Task<T>::start(detail::running_loop_core(), std::move(coroutine), {}, {});
}

namespace detail {

/// Says what is wrong with a call that no overload takes: what is given for a coroutine.
template <class F, class... Args>
consteval void explain_no_coroutine() {
  if constexpr (kIsCoro<std::remove_cvref_t<F>>) {
    static_assert(kNever<F>, "eddy: a Coro runs once and is handed over: std::move(coro), or call the function right here");
  } else if constexpr (sizeof...(Args) > 0 && !std::invocable<std::decay_t<F>&, std::decay_t<Args>...>) {
    static_assert(kNever<F>, "eddy: the function cannot be called with copies of these arguments; give std::ref(x) for a "
                             "parameter that is a reference to something that outlives the task");
  } else if constexpr (std::invocable<std::decay_t<F>&, std::decay_t<Args>...>) {
    static_assert(kNever<F>, "eddy: the function is no coroutine: its result cannot be awaited; a blocking function goes "
                             "through eddy::to_thread(function)");
  } else if constexpr (requires { &std::decay_t<F>::operator(); } || std::is_function_v<std::remove_pointer_t<std::decay_t<F>>>) {
    static_assert(kNever<F>, "eddy: this is a function that needs arguments: call it, or give them behind it");
  } else {
    static_assert(kNever<F>, "eddy: this cannot be awaited: give a Coro, a Task, a Future, or a coroutine function and "
                             "its arguments");
  }
}

template <class N>
concept Number = std::is_arithmetic_v<std::remove_cvref_t<N>>;

}  // namespace detail

template <class F, class... Args>
  requires(!detail::Awaitable<F> && !detail::CoroutineFunction<std::decay_t<F>&, std::decay_t<Args>...>)
void create_task(F&&, Args&&...) {
  detail::explain_no_coroutine<F, Args...>();
}

/// The task that is running. Throws RuntimeError outside of one.
inline AnyTask current_task() { return AnyTask::from_core(detail::current_task_core()); }

namespace detail {

/// Steps aside for one turn of the loop.
class YieldAwaiter {
 public:
  explicit YieldAwaiter() noexcept {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where) const {
    TaskCore& task = current_task_core();
    task.resume_point = where;
    task.loop->ready.push(task);
  }
  void await_resume() const { current_task_core().throw_if_cancelled(); }
};

class SleepAwaiter {
 public:
  explicit SleepAwaiter(Duration delay) noexcept : delay_(delay.count()) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where) const {
    TaskCore& task = current_task_core();
    if (delay_ > 0) return start_sleep(task, where, delay_);
    task.resume_point = where;
    task.loop->ready.push(task);
  }
  void await_resume() const { current_task_core().throw_if_cancelled(); }

 private:
  static void start_sleep(TaskCore& task, std::coroutine_handle<> where, std::int64_t delay) noexcept;
  std::int64_t delay_;
};

}  // namespace detail

/// Suspends the running task for at least `delay`; with 0 or less, for one turn of the loop.
[[nodiscard("co_await it")]] inline detail::SleepAwaiter sleep(Duration delay) noexcept {
  return detail::SleepAwaiter(delay);
}
template <detail::Number N>
std::suspend_never sleep(N) {
  static_assert(detail::kNever<N>, "eddy: a time needs its unit: sleep(5s), with using namespace std::chrono_literals");
  return {};
}

}  // namespace eddy

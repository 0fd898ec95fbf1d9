// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <eddy/detail/done_group.hpp>
#include <eddy/detail/list.hpp>
#include <eddy/detail/scope_core.hpp>
#include <eddy/detail/site.hpp>
#include <eddy/futures.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

namespace detail {

[[noreturn]] void throw_no_body_value();
[[noreturn]] void throw_not_started();
[[noreturn]] void throw_started_twice();
/// Waits for the end of something that its caller keeps, through any number of cancellations, of which the last
/// is thrown on after it.
Coro<> await_end(FutureCore& future);

}  // namespace detail

/// With what a task that TaskGroup::start() started says that it is ready: `trio.TaskStatus`.
template <class T = void>
class TaskStatus {
 public:
  explicit TaskStatus(Future<T> ready) noexcept : ready_(std::move(ready)) {}

  /// Ready, with a value unless T is void. Throws RuntimeError the second time.
  template <class... U>
  void started(U&&... value) const {
    if (ready_.done()) detail::throw_started_twice();
    ready_.set_result(static_cast<U&&>(value)...);
  }

 private:
  Future<T> ready_;
};

/// Tasks that end together: `asyncio.TaskGroup`. Made by `task_group()` alone.
class TaskGroup {
 public:
  TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  /// Starts a task in the group. Throws RuntimeError, and destroys the coroutine, if the group is shutting
  /// down or finished.
  template <detail::Awaitable A>
  auto create_task(A&& awaitable, TaskOptions options = {}, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
    auto coroutine = detail::as_coroutine(std::forward<A>(awaitable));
    return add(std::move(coroutine), options, {file, line});
  }
  template <class T>
  Task<T> create_task(Coro<T>&, TaskOptions = {}) {
    static_assert(detail::kNever<T>, "eddy: create_task() takes over the coroutine: create_task(std::move(coro))");
  }
  /// Starts `function(args...)`, which are moved into the task.
  template <class F, class... Args>
    requires detail::CoroutineFunction<std::decay_t<F>&, std::decay_t<Args>...>
  auto create_task(F&& function, Args&&... args) {
    return add(detail::coroutine_of_call<std::decay_t<F>, std::decay_t<Args>...>(std::forward<F>(function),
                                                                               std::forward<Args>(args)...),
               {}, {});
  }
  template <class F, class... Args>
    requires(!detail::Awaitable<F> && !detail::CoroutineFunction<std::decay_t<F>&, std::decay_t<Args>...>)
  void create_task(F&&, Args&&...) {
    detail::explain_no_coroutine<F, Args...>();
  }

  /// Starts `function(status, args...)` in the group and waits until it says that it is ready: it calls
  /// `status.started(value)`, and the value is given here. What it throws before is thrown here, not by the
  /// group; if it ends without having said so, RuntimeError. Cancelled meanwhile, it is cancelled and waited for.
  ///
  ///     const int port = co_await group.start<int>(serve, "localhost");   // Coro<> serve(TaskStatus<int>, std::string)
  template <class T = void, class F, class... Args>
  Coro<T> start(F function, Args... args);

  /// Ends the group early: cancels its tasks and the body. task_group() then returns as if all had ended by
  /// themselves, without an exception, but for what they throw while they are being cancelled. If the body
  /// was to give a value and was cut short, task_group() throws RuntimeError.
  void cancel();

  /// For eddy's own layers: the tasks that have not ended.
  void visit_members(detail::AwaitVisitor& visitor) const;

 private:
  struct Member;
  class Completed;
  friend struct detail::DebuggerLayout;
  template <class F>
    requires detail::CoroutineFunction<F&, TaskGroup&>
  friend auto task_group(F body) -> Coro<detail::AwaitValue<std::invoke_result_t<F&, TaskGroup&>>>;

  template <class T>
  Task<T> add(Coro<T> coroutine, TaskOptions options, detail::Site site) {
    coroutine.frame().promise().progress = detail::Progress::refused;  // unless it is started
    refuse_if_over();
    auto task = Task<T>::start(*parent_.core().loop, std::move(coroutine), options, site);
    watch(task.core());
    return task;
  }
  void refuse_if_over();
  void adopt(detail::TaskCore& task);
  void watch(detail::TaskCore& task);
  void member_done(detail::FutureCore& task) noexcept;
  void abort() noexcept;

  /// The body has ended, with `error` or without one.
  void body_ended(std::exception_ptr error, bool cancelled) noexcept;
  bool has_members() const noexcept { return members_ > 0; }
  Completed completed() noexcept;
  void parent_was_cancelled(std::exception_ptr cancellation) noexcept;
  /// Throws what is to be thrown. True: cancel() was called.
  bool finish();

  AnyTask parent_;
  detail::List watched_;
  std::size_t members_ = 0;
  std::vector<std::exception_ptr> errors_;
  std::exception_ptr cancellation_;  // to be thrown at the end, unless there are errors
  std::exception_ptr body_error_;
  std::exception_ptr exit_;  // a KeyboardInterrupt or SystemExit: thrown instead of the group
  detail::TaskCore* waiter_ = nullptr;
  detail::ScopeCore* scope_;  // in which the group was opened; null: none
  bool aborting_ = false;
  bool exiting_ = false;
  bool cancelled_parent_ = false;  // to end the body; taken back at the end
  bool cancel_called_ = false;
  int cancelling_at_entry_;
};

class TaskGroup::Completed {
 public:
  explicit Completed(TaskGroup& group) noexcept : group_(group) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where);
  void await_resume();

 private:
  TaskGroup& group_;
};

inline TaskGroup::Completed TaskGroup::completed() noexcept { return Completed(*this); }

template <class T, class F, class... Args>
Coro<T> TaskGroup::start(F function, Args... args) {
  refuse_if_over();
  const auto ready = Future<T>::make(*parent_.core().loop);
  auto child = eddy::create_task(
      detail::coroutine_of_call<F, TaskStatus<T>, Args...>(std::move(function), TaskStatus<T>(ready), std::move(args)...));
  std::exception_ptr cancellation;
  try {
    co_await detail::DoneWait(detail::DoneGroup::Until::first_done, ready.core(), child.core());
  } catch (const CancelledError&) {
    cancellation = std::current_exception();
  }
  if (!ready.done()) {
    child.cancel();
    co_await detail::await_end(child.core());
    if (cancellation) std::rethrow_exception(cancellation);
    child.result();
    detail::throw_not_started();
  }
  adopt(child.core());
  if (cancellation) std::rethrow_exception(cancellation);
  co_return ready.result();
}

/// Runs `body(group)` and everything it starts in the group; returns the body's value when all have ended.
///
///     co_await task_group([&](TaskGroup& group) -> Coro<> {
///       for (auto& url : urls) group.create_task(fetch(url));
///       co_return;
///     });
///
/// If one fails, the others and the body are cancelled, and the errors are thrown together as an
/// ExceptionGroup. If the calling task is cancelled, so are they, and CancelledError is thrown. What the
/// children refer to must be declared outside of the body: its locals die when it ends, before them.
template <class F>
  requires detail::CoroutineFunction<F&, TaskGroup&>
auto task_group(F body) -> Coro<detail::AwaitValue<std::invoke_result_t<F&, TaskGroup&>>> {
  using T = detail::AwaitValue<std::invoke_result_t<F&, TaskGroup&>>;
  TaskGroup group;
  detail::ResultSlot<T> result;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await body(group);
      result.set_value();
    } else {
      result.set_value(co_await body(group));
    }
  } catch (...) {
    result.set_current_exception();
  }
  group.body_ended(result.outcome == detail::Outcome::value ? nullptr : result.error(),
                   result.outcome == detail::Outcome::cancelled);
  while (group.has_members()) {
    try {
      co_await group.completed();
    } catch (const CancelledError&) {
      group.parent_was_cancelled(std::current_exception());
    }
  }
  if (group.finish() && result.outcome == detail::Outcome::cancelled) {
    if constexpr (std::is_void_v<T>) co_return;
    else detail::throw_no_body_value();
  }
  co_return result.take();
}

template <class F>
  requires(!detail::CoroutineFunction<F&, TaskGroup&>)
Coro<> task_group(F) {
  static_assert(detail::kNever<F>, "eddy: task_group() takes a coroutine function of a TaskGroup&: "
                                   "[&](TaskGroup& group) -> Coro<> { …; co_return; }");
  return {};
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <eddy/detail/list.hpp>
#include <eddy/detail/site.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

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
    requires detail::CoroutineFunction<std::decay_t<F>&, std::decay_t<Args>&...>
  auto create_task(F&& function, Args&&... args) {
    return add(detail::coroutine_of_call<std::decay_t<F>, std::decay_t<Args>...>(std::forward<F>(function),
                                                                               std::forward<Args>(args)...),
               {}, {});
  }

  /// For eddy's own layers: the tasks that have not ended.
  void visit_members(detail::AwaitVisitor& visitor) const;

 private:
  struct Member;
  class Completed;
  friend struct detail::DebuggerLayout;
  template <class F>
  friend auto task_group(F body) -> Coro<detail::AwaitValue<std::invoke_result_t<F&, TaskGroup&>>>;

  template <class T>
  Task<T> add(Coro<T> coroutine, TaskOptions options, detail::Site site) {
    coroutine.frame().promise().progress = detail::Progress::ended;  // refused is not forgotten
    refuse_if_over();
    auto task = Task<T>::start(*parent_.core().loop, std::move(coroutine), options, site);
    watch(task.core());
    return task;
  }
  void refuse_if_over();
  void watch(detail::TaskCore& task);
  void member_done(detail::FutureCore& task) noexcept;
  void abort() noexcept;

  /// The body has ended, with `error` or without one.
  void body_ended(std::exception_ptr error, bool cancelled) noexcept;
  bool has_members() const noexcept { return members_ > 0; }
  Completed completed() noexcept;
  void parent_was_cancelled(std::exception_ptr cancellation) noexcept;
  void finish();

  AnyTask parent_;
  detail::List watched_;
  std::size_t members_ = 0;
  std::vector<std::exception_ptr> errors_;
  std::exception_ptr cancellation_;  // to be thrown at the end, unless there are errors
  std::exception_ptr body_error_;
  std::exception_ptr exit_;  // a KeyboardInterrupt or SystemExit: thrown instead of the group
  detail::TaskCore* waiter_ = nullptr;
  bool aborting_ = false;
  bool exiting_ = false;
  bool cancelled_parent_ = false;  // to end the body; taken back at the end
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
  group.body_ended(result.outcome() == detail::Outcome::value ? nullptr : result.error(),
                   result.outcome() == detail::Outcome::cancelled);
  while (group.has_members()) {
    try {
      co_await group.completed();
    } catch (const CancelledError&) {
      group.parent_was_cancelled(std::current_exception());
    }
  }
  group.finish();
  co_return result.take();
}

}  // namespace eddy

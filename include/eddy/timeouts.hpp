// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <eddy/clock.hpp>
#include <eddy/detail/done_group.hpp>
#include <eddy/detail/site.hpp>
#include <eddy/wait.hpp>
#include <eddy/tasks.hpp>
#include <type_traits>
#include <utility>

namespace eddy {

namespace detail {

struct TimeoutCore;
TimeoutCore* make_timeout(std::int64_t delay, bool is_deadline);
void enter_timeout(TimeoutCore& core);
/// Leaves the scope. True: it expired, and the CancelledError that came out is its own.
bool exit_timeout(TimeoutCore& core, bool cancelled) noexcept;
void leave_timeout(TimeoutCore& core) noexcept;
[[noreturn]] void throw_timeout(const TimeoutCore& core);

}  // namespace detail

/// A deadline that the code under it can move: `timeout(5s, [](Timeout& t) -> Coro<> {…})`.
class Timeout {
 public:
  explicit Timeout(detail::TimeoutCore& core) noexcept : core_(core) {}

  /// When it expires, on the loop's clock; TimePoint::max() for never.
  TimePoint when() const noexcept;
  /// Moves it: forward, backward, or away with TimePoint::max(). Throws RuntimeError once it has expired.
  void reschedule(TimePoint when);
  bool expired() const noexcept;

 private:
  detail::TimeoutCore& core_;
};

namespace detail {

/// Awaits a coroutine in the running task, under a deadline that cancels the task.
template <class T>
class [[nodiscard("co_await it")]] TimeoutAwaiter {
 public:
  TimeoutAwaiter(Coro<T> body, TimeoutCore* core) noexcept : body_(std::move(body)), core_(core) {}
  TimeoutAwaiter(TimeoutAwaiter&& other) noexcept
      : body_(std::move(other.body_)), core_(std::exchange(other.core_, nullptr)) {}
  ~TimeoutAwaiter() {
    if (core_) leave_timeout(*core_);
  }

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> where) {
    enter_timeout(*core_);
    return start_child(body_.frame().promise(), body_.frame(), where, std::derived_from<Promise, PromiseBase>);
  }
  T await_resume() {
    auto& result = body_.frame().promise();
    if (exit_timeout(*core_, result.outcome == Outcome::cancelled)) throw_timeout(*core_);
    return result.take();
  }

 private:
  Coro<T> body_;
  TimeoutCore* core_;
};

template <class F>
Coro<AwaitValue<std::invoke_result_t<F&, Timeout&>>> call_with_timeout(F function, TimeoutCore* core) {
  Timeout scope(*core);
  co_return co_await function(scope);
}

template <class A>
auto under_timeout(TimeoutCore* core, A&& body) {
  if constexpr (std::invocable<std::decay_t<A>&, Timeout&>) {
    auto coroutine = call_with_timeout<std::decay_t<A>>(std::forward<A>(body), core);
    return TimeoutAwaiter<typename decltype(coroutine)::value_type>(std::move(coroutine), core);
  } else if constexpr (std::invocable<std::decay_t<A>&>) {
    auto coroutine = coroutine_of_call<std::decay_t<A>>(std::forward<A>(body));
    return TimeoutAwaiter<typename decltype(coroutine)::value_type>(std::move(coroutine), core);
  } else {
    auto coroutine = as_coroutine(std::forward<A>(body));
    return TimeoutAwaiter<typename decltype(coroutine)::value_type>(std::move(coroutine), core);
  }
}

/// wait_for() with no time at all: what is not done is cancelled, without having run.
template <bool kShared, class A>
Coro<std::remove_cvref_t<AwaitResult<A&&>>> cancel_at_once(A awaitable, TimeoutCore* core) {
  auto child = child_of(std::move(awaitable), Site{});
  if (!child.done()) {
    child.core().cancel(nullptr);
    std::vector<decltype(child)> all;
    all.push_back(child);
    co_await wait(std::move(all));
    if (child.cancelled()) throw_timeout(*core);
  }
  if constexpr (std::is_void_v<typename decltype(child)::value_type>) child.result();
  else if constexpr (kShared) co_return child.result();
  else {
    static_cast<void>(child.result());
    co_return take_from(child.holder());
  }
}

}  // namespace detail

/// Awaits `body`, a coroutine or a callable that gives one, for at most `limit`.
///
/// Past that, the running task is cancelled, the body unwinds, and TimeoutError is thrown here, at this
/// edge only: code inside sees CancelledError. A cancellation from outside stays a cancellation. The body
/// runs in the calling task; nothing is started beside it.
template <class A>
auto timeout(Duration limit, A&& body) {
  return detail::under_timeout(detail::make_timeout(limit.count(), false), std::forward<A>(body));
}
template <detail::Number N, class A>
std::suspend_never timeout(N, A&&) {
  static_assert(detail::kNever<N>, "eddy: a time needs its unit: timeout(5s, …), with using namespace std::chrono_literals");
  return {};
}
/// The same with a time of the loop's clock.
template <class Length, class A>
auto timeout_at(std::chrono::time_point<LoopClock, Length> deadline, A&& body) {
  return detail::under_timeout(detail::make_timeout(Duration(deadline.time_since_epoch()).count(), true),
                               std::forward<A>(body));
}

/// Awaits a task, a future or a coroutine for at most `limit`; past that it is cancelled, waited for, and
/// TimeoutError is thrown. If it swallows the cancellation and returns, its value is given after all. With
/// 0 or less, what is not done is cancelled without running.
template <detail::Awaitable A>
auto wait_for(A&& awaitable, Duration limit) {
  auto* core = detail::make_timeout(limit.count() > 0 ? limit.count() : Duration::max().count(), false);
  if (limit.count() > 0) return detail::under_timeout(core, detail::as_coroutine(std::forward<A>(awaitable)));
  return detail::under_timeout(core, detail::cancel_at_once<std::is_lvalue_reference_v<A>, std::decay_t<A>>(
                                         std::forward<A>(awaitable), core));
}
template <class A, detail::Number N>
std::suspend_never wait_for(A&&, N) {
  static_assert(detail::kNever<N>, "eddy: a time needs its unit: wait_for(x, 5s), with using namespace std::chrono_literals");
  return {};
}
template <class A>
  requires(!detail::Awaitable<A>)
std::suspend_never wait_for(A&&, Duration) {
  detail::explain_no_coroutine<A>();
  return {};
}

}  // namespace eddy

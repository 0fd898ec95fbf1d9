// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/clock.hpp>
#include <eddy/detail/owned.hpp>
#include <eddy/detail/scope_core.hpp>
#include <eddy/tasks.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace eddy {

struct CancelScopeOptions {
  Duration timeout = Duration::max();  // counted from run(); then it is cancelled
  bool shield = false;                 // cancellations of scopes around it do not reach in
};

namespace detail {
template <class T, bool kThrows>
class ScopeAwaiter;
}

/// A region of a task that can be cancelled by itself: `trio.CancelScope`.
///
///     CancelScope scope;
///     on_button([&] { scope.cancel(); });
///     const bool finished = co_await scope.run(download());
///
/// Unlike `task.cancel()`, which is delivered once, the cancellation of a scope stays: every wait inside
/// throws CancelledError, also of clean-up code, until the scope has ended; so it cannot be swallowed by
/// mistake. What the scope's task groups start belongs to it. It ends where the scope ends: code around it
/// does not see a CancelledError. Clean-up that has to wait runs in a scope with `.shield = true` and a
/// timeout. Must outlive its run; used by the loop's thread, once.
class CancelScope {
 public:
  explicit CancelScope(CancelScopeOptions options = {}) noexcept {
    core_.limit = options.timeout.count();
    core_.shield = options.shield;
  }

  /// Awaits a coroutine, or what a callable gives that takes nothing or `CancelScope&`. For one without a
  /// value: whether it ended by itself. Else its value, or none if the scope was cancelled. Throws what it
  /// throws; RuntimeError if the scope was used before.
  template <class A>
  auto run(A&& body);

  /// Cancels what runs in it, or will.
  void cancel() noexcept { core_.cancel(); }
  bool cancel_called() const noexcept { return core_.cancel_called; }
  /// Whether its cancellation ended the run.
  bool cancelled_caught() const noexcept { return core_.cancelled_caught; }

  /// When it will be cancelled, on the loop's clock; TimePoint::max(): never.
  TimePoint deadline() const noexcept;
  /// Moves it; with a time that is over, it is cancelled at the loop's next turn.
  void set_deadline(TimePoint when);
  bool shield() const noexcept { return core_.shield; }
  void set_shield(bool on) noexcept { core_.set_shield(on); }

 private:
  template <class T, bool kThrows>
  friend class detail::ScopeAwaiter;
  detail::ScopeCore core_;
};

/// The earliest deadline of the scopes in which the running task stands, as far as they reach it;
/// TimePoint::max(): none. In the past if it is being cancelled.
TimePoint current_effective_deadline();

namespace detail {

[[noreturn]] void throw_too_slow(std::int64_t limit);

/// kThrows: TimeoutError where others give "no value".
template <class T, bool kThrows>
class [[nodiscard("co_await it")]] ScopeAwaiter {
 public:
  ScopeAwaiter(Coro<T> body, CancelScope& scope, Owned<CancelScope> owned) noexcept
      : owned_(std::move(owned)), scope_(&scope), body_(std::move(body)) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> where) {
    body_.frame().promise().progress = Progress::refused;  // unless it is entered
    scope_->core_.enter();
    return start_child(body_.frame().promise(), body_.frame(), where, std::derived_from<Promise, PromiseBase>);
  }
  auto await_resume() {
    auto& result = body_.frame().promise();
    const bool caught = scope_->core_.exit(result.outcome == Outcome::cancelled);
    if constexpr (kThrows) {
      if (caught) throw_too_slow(scope_->core_.limit);
      return result.take();
    } else if constexpr (std::is_void_v<T>) {
      if (!caught) result.take();
      return !caught;
    } else {
      return caught ? std::optional<T>() : std::optional<T>(result.take());
    }
  }

 private:
  Owned<CancelScope> owned_;
  CancelScope* scope_;
  Coro<T> body_;
};

template <class F>
Coro<AwaitValue<std::invoke_result_t<F&, CancelScope&>>> call_with_scope(F function, CancelScope* scope) {
  using eddy_body [[maybe_unused]] = int;
  co_return co_await function(*scope);
}

template <bool kThrows, class A>
auto in_scope(CancelScope& scope, Owned<CancelScope> owned, A&& body) {
  auto coroutine = [&] {
    if constexpr (std::invocable<std::decay_t<A>&, CancelScope&>) {
      return call_with_scope<std::decay_t<A>>(std::forward<A>(body), &scope);
    } else if constexpr (std::invocable<std::decay_t<A>&>) {
      return coroutine_of_call<std::decay_t<A>>(std::forward<A>(body));
    } else {
      return as_coroutine(std::forward<A>(body));
    }
  }();
  using T = typename decltype(coroutine)::value_type;
  return ScopeAwaiter<T, kThrows>(std::move(coroutine), scope, std::move(owned));
}

template <bool kThrows, class A>
auto in_new_scope(Duration limit, A&& body) {
  auto scope = Owned<CancelScope>(new CancelScope(CancelScopeOptions{.timeout = limit}));
  auto& reference = *scope;
  return in_scope<kThrows>(reference, std::move(scope), std::forward<A>(body));
}

}  // namespace detail

template <class A>
auto CancelScope::run(A&& body) {
  return detail::in_scope<false>(*this, {}, std::forward<A>(body));
}

/// Runs a coroutine or callable for at most `limit`, then goes on without it: `trio.move_on_after`. Gives what
/// CancelScope::run() gives: whether it ended by itself, or its value.
template <class A>
auto move_on_after(Duration limit, A&& body) {
  return detail::in_new_scope<false>(limit, std::forward<A>(body));
}
/// The same that throws TimeoutError: `trio.fail_after`. As timeout(), but code inside cannot swallow it.
template <class A>
auto fail_after(Duration limit, A&& body) {
  return detail::in_new_scope<true>(limit, std::forward<A>(body));
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
// What can be awaited, and what it gives (for coro.hpp and the combinators).
#pragma once

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace eddy::detail {

template <class T>
inline constexpr bool kNever = false;

/// Generators of both kinds, which are iterated and not awaited.
template <class A>
inline constexpr bool kIsGenerator = requires { typename std::remove_cvref_t<A>::eddy_generator; };

template <class A>
concept Awaiter = requires(A& a) {
  { a.await_ready() } -> std::convertible_to<bool>;
  a.await_resume();
};

template <class A>
concept MemberAwaitable = requires(A&& a) { static_cast<A&&>(a).operator co_await(); };

template <class A>
concept FreeAwaitable = requires(A&& a) { operator co_await(static_cast<A&&>(a)); };

/// Anything that co_await takes in an eddy coroutine.
template <class A>
concept Awaitable = MemberAwaitable<A> || FreeAwaitable<A> || Awaiter<std::remove_reference_t<A>>;

/// Awaited as it is, without an operator co_await.
template <class A>
concept PlainAwaiter = Awaiter<std::remove_reference_t<A>> && !MemberAwaitable<A> && !FreeAwaitable<A>;

/// Stands for an awaiter that lives until its co_await ends. Given the awaiter itself, g++ 12 moves it to a second
/// place in the frame.
template <class A>
struct AwaiterInPlace {
  A& awaiter;

  decltype(auto) await_ready() noexcept(noexcept(awaiter.await_ready())) { return awaiter.await_ready(); }
  template <class Promise>
  decltype(auto) await_suspend(std::coroutine_handle<Promise> where) noexcept(noexcept(awaiter.await_suspend(where))) {
    return awaiter.await_suspend(where);
  }
  decltype(auto) await_resume() noexcept(noexcept(awaiter.await_resume())) { return awaiter.await_resume(); }
};

template <class A>
decltype(auto) awaiter_of(A&& a) {
  if constexpr (MemberAwaitable<A>) return static_cast<A&&>(a).operator co_await();
  else if constexpr (FreeAwaitable<A>) return operator co_await(static_cast<A&&>(a));
  else return static_cast<A&&>(a);
}

template <class A>
using AwaitResult = decltype(std::declval<std::remove_reference_t<decltype(awaiter_of(std::declval<A>()))>&>().await_resume());

/// The value that a task made of A would keep.
template <class A>
using AwaitValue = std::remove_cvref_t<AwaitResult<A>>;

template <class F, class... Args>
concept CoroutineFunction = std::invocable<F, Args...> && Awaitable<std::invoke_result_t<F, Args...>>;

}  // namespace eddy::detail

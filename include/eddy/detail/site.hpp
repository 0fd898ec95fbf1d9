// SPDX-License-Identifier: MIT
// Where the awaiting coroutine stands: the place of birth of the tasks that an awaitable makes (for the
// combinators).
#pragma once

#include <coroutine>
#include <concepts>
#include <eddy/coro.hpp>
#include <eddy/tasks.hpp>

namespace eddy::detail {

template <class Promise>
Site site_of(std::coroutine_handle<Promise> where) noexcept {
  if constexpr (std::derived_from<Promise, PromiseBase>) {
    return {where.promise().file, static_cast<int>(where.promise().line)};
  } else {
    return {};
  }
}

/// What a combinator waits for: futures and tasks as they are, anything else as a task of its own.
template <class A>
inline constexpr bool kIsFutureLike = requires(A& a) { a.core(); a.holder(); };

template <class A>
auto child_of(A&& input, Site site) {
  using Plain = std::remove_cvref_t<A>;
  if constexpr (kIsFutureLike<Plain>) {
    return Plain(std::forward<A>(input));
  } else {
    auto coroutine = as_coroutine(std::forward<A>(input));
    using T = typename decltype(coroutine)::value_type;
    return Task<T>::start(running_loop_core(), std::move(coroutine), {}, site);
  }
}
template <class A>
using ChildOf = decltype(child_of(std::declval<A>(), Site{}));

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Resources whose release awaits: Python's `async with`, and contextlib's aclosing.
#pragma once

#include <concepts>
#include <eddy/coro.hpp>
#include <eddy/detail/await.hpp>
#include <eddy/detail/result_slot.hpp>
#include <exception>
#include <type_traits>
#include <utility>

namespace eddy {

/// Has `aenter()` and `aexit(std::exception_ptr)`, both to be awaited: Python's asynchronous context manager.
///
/// `aexit` is told how the body ended: null, or its exception, CancelledError among them. Where it gives a
/// bool, true swallows the exception.
template <class R>
concept async_context_manager = requires(R& resource, std::exception_ptr error) {
  requires detail::Awaitable<decltype(resource.aenter())>;
  requires detail::Awaitable<decltype(resource.aexit(error))>;
};

namespace detail {

template <class R>
using Entered = AwaitResult<decltype(std::declval<std::remove_reference_t<R>&>().aenter())>;

/// The body of a with(): a callable of what aenter() gave, or of nothing.
template <class R, class F>
struct WithBody {
  using Call = std::invoke_result<F&, Entered<R>>;
};
template <class R, class F>
requires std::invocable<F&>
struct WithBody<R, F> {
  using Call = std::invoke_result<F&>;
};
template <class R, class F>
using WithValue = AwaitValue<typename WithBody<R, F>::Call::type>;

template <class R, class F>
Coro<WithValue<R, F>> enter_and_run(R& resource, F& body, bool& entered) {
  if constexpr (std::invocable<F&>) {
    static_cast<void>(co_await resource.aenter());
    entered = true;
    co_return co_await body();
  } else {
    auto&& given = co_await resource.aenter();
    entered = true;
    co_return co_await body(std::forward<decltype(given)>(given));
  }
}

template <class R>
Coro<bool> leave(R& resource, std::exception_ptr error) {
  using Swallows = AwaitResult<decltype(resource.aexit(error))>;
  if constexpr (std::convertible_to<Swallows, bool>) {
    co_return co_await resource.aexit(std::move(error));
  } else {
    co_await resource.aexit(std::move(error));
    co_return false;
  }
}

template <class R, class F>
Coro<WithValue<R, F>> with_resource(R resource, F body) {
  using T = WithValue<R, F>;
  ResultSlot<T> result;
  bool entered = false;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await enter_and_run(resource, body, entered);
      result.set_value();
    } else {
      result.set_value(co_await enter_and_run(resource, body, entered));
    }
  } catch (...) {
    result.set_current_exception();
  }
  if (entered) {
    const bool failed = result.outcome != Outcome::value;
    std::exception_ptr error;
    if (failed) error = result.error();
    [[maybe_unused]] const bool swallowed = co_await leave(resource, std::move(error));
    if constexpr (std::is_void_v<T>) {
      if (failed && swallowed) co_return;
    }
  }
  co_return result.take();
}

}  // namespace detail

/// Python's `async with resource as x: body(x)`: awaits `resource.aenter()`, then `body(x)`, or `body()`,
/// then `resource.aexit(…)`, however the body ends: by a value, an exception, a cancellation. Gives the
/// body's value.
///
///     co_await eddy::with(pool, [&](Connection& connection) -> Coro<> { co_await connection.execute("…");
///     });
///
/// A named resource is referred to, a temporary is kept. A body with a value has no value to give where
/// aexit() swallows its exception: that is thrown all the same.
template <async_context_manager R, class F>
[[nodiscard("co_await it")]] auto with(R&& resource, F body) {
  return detail::with_resource<R, F>(std::forward<R>(resource), std::move(body));
}

/// What `with()` closes at the end with `co_await it.aclose()`: an asynchronous generator, for one. A named
/// one is referred to, a temporary is kept.
///
///     co_await eddy::with(aclosing(rows()), [](AsyncGenerator<Row>& rows) -> Coro<> { … });
template <class T>
class aclosing {
 public:
  explicit aclosing(T&& thing) : thing_(static_cast<T&&>(thing)) {}

  Coro<std::remove_reference_t<T>&> aenter() { co_return thing_; }
  auto aexit(std::exception_ptr) { return thing_.aclose(); }

 private:
  T thing_;  // a reference, or the object
};
template <class T>
aclosing(T&&) -> aclosing<T>;

}  // namespace eddy

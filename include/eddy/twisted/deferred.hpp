// SPDX-License-Identifier: MIT
// Twisted's Deferred (twisted.internet.defer): a result that will come, and the chain of callbacks it goes through.
#pragma once

#include <any>
#include <coroutine>
#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/futures.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace eddy::twisted {

class Deferred;

/// callback() or errback() of a Deferred that has its result.
class AlreadyCalledError : public RuntimeError { using RuntimeError::RuntimeError; };
/// What a cancelled Deferred's chain starts with. An ordinary exception, as in Twisted.
class CancelledError : public RuntimeError { using RuntimeError::RuntimeError; };

/// An exception on its way through a chain: `twisted.python.failure.Failure`.
class Failure {
 public:
  explicit Failure(std::exception_ptr error) noexcept : error_(std::move(error)) {}
  template <class E>
    requires std::derived_from<E, std::exception>
  explicit Failure(E error) : error_(std::make_exception_ptr(std::move(error))) {}

  const std::exception_ptr& error() const noexcept { return error_; }
  [[noreturn]] void raise() const { std::rethrow_exception(error_); }
  /// Its what(), or "" for what is no std::exception.
  std::string message() const;
  template <class E>
  bool check() const {
    try {
      std::rethrow_exception(error_);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }
  /// Goes on if it is an E; throws it again otherwise: the first line of an errback for one kind.
  template <class E>
  void trap() const {
    if (!check<E>()) raise();
  }

 private:
  std::exception_ptr error_;
};

namespace detail {

/// What goes along a chain: a value (an empty one is Python's None), or a failure.
struct Result {
  std::any value;
  std::exception_ptr error;
};
struct DeferredState;
/// What a callback gave: a result, or a Deferred to wait for.
struct Step {
  Result result;
  std::shared_ptr<DeferredState> deferred;
};
using Link = std::function<Step(Result&&)>;

[[noreturn]] void throw_wrong_type(const std::type_info& wanted, const std::any& value);

template <class A>
decltype(auto) argument(std::any& value) {
  using Plain = std::remove_cvref_t<A>;
  if constexpr (std::is_same_v<Plain, std::any>) return (value);
  else {
    auto* typed = std::any_cast<Plain>(&value);
    if (!typed) throw_wrong_type(typeid(Plain), value);
    if constexpr (std::is_lvalue_reference_v<A>) return (*typed);
    else return std::move(*typed);
  }
}

template <class F>
struct ArgumentOf : ArgumentOf<decltype(&F::operator())> {};
template <class C, class R, class A>
struct ArgumentOf<R (C::*)(A)> { using type = A; };
template <class C, class R, class A>
struct ArgumentOf<R (C::*)(A) const> { using type = A; };
template <class R, class A>
struct ArgumentOf<R (*)(A)> { using type = A; };

template <class F>
Step step_of(F&& call);  // what `call()` gives, as a step; below

template <class F>
Step call_with_value(F& f, std::any& value) {
  if constexpr (std::is_invocable_v<F&>) return step_of(f);
  else if constexpr (std::is_invocable_v<F&, std::any&>) return step_of([&]() -> decltype(auto) { return f(value); });
  else return step_of([&]() -> decltype(auto) { return f(argument<typename ArgumentOf<F>::type>(value)); });
}
template <class F>
Step call_with_failure(F& f, std::exception_ptr error) {
  if constexpr (std::is_invocable_v<F&>) return step_of(f);
  else return step_of([&]() -> decltype(auto) { return f(Failure(std::move(error))); });
}

}  // namespace detail

/// A result that will come: `twisted.internet.defer.Deferred`. A handle; copies refer to the same one.
///
///     Deferred d = get_page(url);
///     d.add_callback([](const std::string& page) { return page.size(); })
///      .add_errback([](Failure f) { f.trap<TimeoutError>(); return std::size_t{0}; })
///      .add_callback([](std::size_t n) { std::printf("%zu\n", n); });
///
/// As in Twisted, and unlike a Future: callbacks run inside callback(), errback() and add_…() as soon as the result is
/// there; each gets what the one before gave. What a callback throws, or a Failure that it returns, goes to the next
/// errback; what an errback returns, to the next callback. A Deferred that it returns is waited for. A value of another
/// type than the callback's parameter makes a TypeError. A callback without a parameter takes any result; std::any& gets
/// it as it is.
///
/// A failure that is left when the last handle goes is reported to the loop's exception handler.
class [[nodiscard]] Deferred {
 public:
  Deferred();
  /// `canceller(deferred)` is what cancel() calls; it may call callback() or errback().
  explicit Deferred(std::function<void(Deferred&)> canceller);

  // addCallback, addErrback, addBoth, addCallbacks of Twisted.
  template <class F>
  Deferred& add_callback(F f) {
    return add(on_value(std::move(f)), {});
  }
  template <class F>
  Deferred& add_errback(F f) {
    return add({}, on_error(std::move(f)));
  }
  /// One of the two, never the second for what the first one throws.
  template <class F, class G>
  Deferred& add_callbacks(F callback, G errback) {
    return add(on_value(std::move(callback)), on_error(std::move(errback)));
  }
  /// `f(value)` or `f(failure)`: a generic lambda, or one without a parameter.
  template <class F>
  Deferred& add_both(F f) {
    return add(on_value(f), on_error(f));
  }
  /// cancel() if there is no result in time; then the chain gets TimeoutError. addTimeout.
  Deferred& add_timeout(Duration timeout);
  /// Hands its result on to `other`: chainDeferred.
  Deferred& chain_deferred(Deferred other);

  /// Starts the chain. Throws AlreadyCalledError if it has started.
  void callback() { fire({}); }
  template <class T>
  void callback(T&& value) {
    static_assert(!std::is_same_v<std::remove_cvref_t<T>, Deferred>, "eddy: a Deferred cannot be a result: chain_deferred()");
    fire({std::any(std::forward<T>(value)), nullptr});
  }
  void errback(std::exception_ptr error) { fire({{}, std::move(error)}); }
  void errback(const Failure& failure) { errback(failure.error()); }
  template <class E>
    requires std::derived_from<E, std::exception>
  void errback(E error) {
    errback(std::make_exception_ptr(std::move(error)));
  }

  /// Asks whoever makes the result to stop; without a canceller, the chain starts with CancelledError at once, and the
  /// result that comes later is ignored. While a callback's Deferred is waited for, that one is cancelled.
  void cancel();
  /// Holds the chain until unpause() was called as often.
  void pause();
  void unpause();
  bool called() const noexcept;

  /// A future of its result on the running loop; cancelling it cancels the Deferred. asFuture.
  template <class T = std::any>
  Future<T> as_future() const;
  /// The result as a T, for coroutines: `int n = co_await d.as<int>();`
  template <class T>
  Coro<T> as() const {
    return await_as<T>(*this);
  }
  /// `std::any value = co_await d;` Throws what it failed with.
  auto operator co_await() const;

  /// For eddy's own layers.
  explicit Deferred(std::shared_ptr<detail::DeferredState> state) noexcept : state_(std::move(state)) {}
  const std::shared_ptr<detail::DeferredState>& state() const noexcept { return state_; }

 private:
  template <class F>
  static detail::Link on_value(F f) {
    return [f = std::move(f)](detail::Result&& result) mutable { return detail::call_with_value(f, result.value); };
  }
  template <class F>
  static detail::Link on_error(F f) {
    return [f = std::move(f)](detail::Result&& result) mutable { return detail::call_with_failure(f, std::move(result.error)); };
  }
  template <class T>
  static Coro<T> await_as(Deferred self);
  Deferred& add(detail::Link on_value, detail::Link on_error);
  void fire(detail::Result result);

  std::shared_ptr<detail::DeferredState> state_;
};

/// Deferreds that have their result: `defer.succeed`, `defer.fail`.
inline Deferred succeed() {
  Deferred d;
  d.callback();
  return d;
}
template <class T>
Deferred succeed(T value) {
  Deferred d;
  d.callback(std::move(value));
  return d;
}
inline Deferred fail(const Failure& failure) {
  Deferred d;
  d.errback(failure);
  return d;
}

/// `f()` as a Deferred, whatever it does: returns a Deferred or a value, or throws. maybeDeferred.
template <class F>
Deferred maybe_deferred(F f) {
  auto d = succeed();
  d.add_callback(std::move(f));
  return d;
}

/// A coroutine as a Deferred: it runs in a task of the running loop, and cancel() cancels it. inlineCallbacks.
template <eddy::detail::Awaitable A>
Deferred inline_callbacks(A coroutine);
/// A future's or a task's result as a Deferred: fromFuture.
template <class FutureLike>
Deferred from_future(FutureLike future);

/// One result of a DeferredList.
struct ListedResult {
  bool success;
  std::any value;       // of a success
  std::exception_ptr error;  // of a failure
};
struct DeferredListOptions {
  bool fire_on_one_callback = false;  // then the result is std::pair<std::any, std::size_t>: the value and its index
  bool fire_on_one_errback = false;   // then the error is a FirstError
  bool consume_errors = false;        // failures do not go on along their own chains
};
/// A Deferred of many: its result is a std::vector<ListedResult> in their order. cancel() cancels them all.
Deferred deferred_list(std::vector<Deferred> deferreds, DeferredListOptions options = {});
/// The same of successes only: a std::vector<std::any>, or a FirstError as soon as one fails. gatherResults.
Deferred gather_results(std::vector<Deferred> deferreds, bool consume_errors = false);

/// The first failure of several, and whose it was.
class FirstError : public RuntimeError {
 public:
  FirstError(std::exception_ptr sub_failure, std::size_t index);
  const std::exception_ptr& sub_failure() const noexcept { return sub_failure_; }
  std::size_t index() const noexcept { return index_; }

 private:
  std::exception_ptr sub_failure_;
  std::size_t index_;
};

// Implementation

namespace detail {

template <class F>
Step step_of(F&& call) {
  using R = std::invoke_result_t<F&>;
  try {
    if constexpr (std::is_void_v<R>) {
      call();
      return {};
    } else if constexpr (std::is_same_v<std::remove_cvref_t<R>, Deferred>) {
      return {{}, Deferred(call()).state()};
    } else if constexpr (std::is_same_v<std::remove_cvref_t<R>, Failure>) {
      return {{{}, Failure(call()).error()}, nullptr};
    } else {
      return {{std::any(call()), nullptr}, nullptr};
    }
  } catch (...) {
    return {{{}, std::current_exception()}, nullptr};
  }
}

/// Awaits the future that it holds.
class DeferredAwaiter {
 public:
  explicit DeferredAwaiter(Future<std::any> future) noexcept
      : future_(std::move(future)), inner_(static_cast<const Future<std::any>&>(future_).operator co_await()) {}
  bool await_ready() const noexcept { return inner_.await_ready(); }
  void await_suspend(std::coroutine_handle<> where) { inner_.await_suspend(where); }
  std::any await_resume() { return inner_.await_resume(); }

 private:
  Future<std::any> future_;
  eddy::detail::FutureAwaiter<std::any, eddy::detail::FutureBox<std::any>, false> inner_;
};

}  // namespace detail

template <class T>
Future<T> Deferred::as_future() const {
  auto future = get_running_loop().create_future<T>();
  auto self = *this;
  future.add_done_callback([weak = std::weak_ptr(state_)](Future<T>& done) {
    const auto state = weak.lock();
    if (state && done.cancelled()) Deferred(state).cancel();
  });
  auto set = [future](std::any& value) {
    if (future.done()) return;
    if constexpr (std::is_void_v<T>) future.set_result();
    else future.set_result(detail::argument<T>(value));
  };
  auto set_error = [future](const Failure& failure) {
    if (!future.done()) future.set_exception(failure.error());
  };
  self.add_callbacks(std::move(set), std::move(set_error));
  return future;
}

inline auto Deferred::operator co_await() const { return detail::DeferredAwaiter(as_future<std::any>()); }

template <class T>
Coro<T> Deferred::await_as(Deferred self) {
  std::any value = co_await self;
  if constexpr (!std::is_void_v<T>) co_return detail::argument<T>(value);
}

namespace detail {

/// The future that a Deferred stands for, until it is done or gone.
struct Source {
  explicit Source(eddy::detail::FutureCore& future) : core(std::make_shared<eddy::detail::FutureCore*>(&future)) {}
  Source(Source&&) noexcept = default;
  ~Source() {
    if (core) *core = nullptr;
  }
  std::shared_ptr<eddy::detail::FutureCore*> core;
};

}  // namespace detail

template <class FutureLike>
Deferred from_future(FutureLike future) {
  detail::Source source(future.core());
  Deferred deferred([core = source.core](Deferred&) {
    if (*core) (*core)->cancel(nullptr);
  });
  future.add_done_callback([deferred, source = std::move(source)](FutureLike& done) mutable {
    if (deferred.called()) return;
    try {
      if constexpr (std::is_void_v<typename FutureLike::value_type>) {
        done.result();
        deferred.callback();
      } else {
        deferred.callback(done.result());
      }
    } catch (const eddy::CancelledError&) {
      deferred.errback(CancelledError("the task or future was cancelled"));
    } catch (...) {
      deferred.errback(std::current_exception());
    }
  });
  return deferred;
}

template <eddy::detail::Awaitable A>
Deferred inline_callbacks(A coroutine) {
  return from_future(create_task(std::move(coroutine)));
}

}  // namespace eddy::twisted

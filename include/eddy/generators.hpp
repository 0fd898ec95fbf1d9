// SPDX-License-Identifier: MIT
// Generators: Python's, with send, throw, close and `yield from` (PEP 342, PEP 380, PEP 479).
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <eddy/detail/generator_core.hpp>
#include <eddy/detail/yield.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/iterators.hpp>
#include <iterator>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace eddy {

template <class Yield, class Send = void, class Return = void>
class Generator;

namespace detail {

/// `from(x)`: what a generator yields all of, and sends to.
template <class X>
class From {
 public:
  explicit From(X&& inner) noexcept(std::is_nothrow_move_constructible_v<X>)
      : inner_(static_cast<X&&>(inner)) {}
  X&& take() noexcept { return static_cast<X&&>(inner_); }

 private:
  X inner_;  // a reference, or the object
};

template <class Return>
class GeneratorReturn {
 public:
  template <class U = Return>
  requires std::constructible_from<Return, U>
  void store(U&& value) { value_.emplace(static_cast<U&&>(value)); }
  Return& get() noexcept { return *value_; }

 private:
  std::optional<Return> value_;
};

template <class Y, class S, class R>
struct GeneratorPromiseBase : YieldPromise<GeneratorCore, Y, S> {
  using YieldPromise<GeneratorCore, Y, S>::yield_value;

  template <class X>
  auto yield_value(From<X> from, int at = __builtin_LINE());
  template <class Item>
  requires Item::kIsRangeItem Item yield_value(Item item) { return item.yielded_by(*this); }
};

template <class Y, class S, class R>
struct GeneratorPromise final : GeneratorPromiseBase<Y, S, R> {
  static_assert(std::is_object_v<R> && alignof(R) <= 2 * sizeof(void*),
                "eddy: a generator returns an object that is not over-aligned");
  GeneratorReturn<R> result;

  Generator<Y, S, R> get_return_object() noexcept;
  template <class U = R>
  requires std::constructible_from<R, U>
  void return_value(U&& value) {
    result.store(static_cast<U&&>(value));
    this->returned = true;
  }
};

template <class Y, class S>
struct GeneratorPromise<Y, S, void> final : GeneratorPromiseBase<Y, S, void> {
  Generator<Y, S, void> get_return_object() noexcept;
  void return_void() noexcept { this->returned = true; }
};

}  // namespace detail

/// A coroutine that yields values, one when it is asked: a Python generator.
///
///     Generator<int> count(int from) {
///       for (;;) co_yield from++;
///     }
///     for (int n : count(1) | std::views::take(3)) …   // a range and a view
///
///     Generator<double, double> average() {            // Send: what co_yield gives
///       double sum = 0, mean = 0;
///       for (int n = 1;; ++n) {
///         sum += co_yield mean;
///         mean = sum / n;
///       }
///     }
///     auto g = average();
///     g.next();                                        // runs to the first co_yield
///     g.send(10);                                      // 10
///
/// It runs inside of next() on the caller's stack, knows no loop, and cannot co_await: that is
/// AsyncGenerator. Its parameters are copied into its frame; references among them must outlive it. Objects
/// that it yields live until it goes on. `Generator<T>` yields copies of named objects, which the consumer
/// may change or move from; `Generator<T&>` and `Generator<const T&>` yield the objects themselves.
template <class Yield, class Send, class Return>
class [[nodiscard]] Generator {
  using Y = detail::Yielded<Yield>;

 public:
  using promise_type = detail::GeneratorPromise<Yield, Send, Return>;
  using eddy_generator = Generator;
  using yield_type = Yield;
  using send_type = Send;
  using return_type = Return;
  /// A value or nothing; for a `Yield` that is `T&`, a pointer or null.
  using Next = typename Y::Next;
  class iterator;

  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Generator& operator=(Generator&& other) noexcept {
    Generator(std::move(other)).swap(*this);
    return *this;
  }
  /// As close(). What that throws goes to the loop's exception handler, or to stderr where no loop runs.
  ~Generator() {
    if (frame_) promise().destroy();
  }
  void swap(Generator& other) noexcept { std::swap(frame_, other.frame_); }

  /// Runs to the next co_yield and gives its value; nothing once the generator has returned, as often as it
  /// is asked. Throws what the body throws, after which the generator has ended. Throws ValueError when
  /// called by itself.
  Next next() { return taken(core().advance()); }

  /// The same; the co_yield at which it stands gives `value`. Throws TypeError if it has not been started.
  Next send(detail::Sendable<Send> value) requires(!std::is_void_v<Send>) {
    return taken(core().advance(detail::address_of(value)));
  }
  /// send(None): next().
  Next send(std::nullopt_t) { return next(); }

  /// Throws `exception` at the co_yield at which the generator stands, and runs to the next one, as next().
  /// One that has not been started, or has ended, throws it at once.
  Next throw_(std::exception_ptr exception) { return taken(core().raise(std::move(exception))); }
  template <class E>
  requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>) Next throw_(E&& exception) {
    return throw_(std::make_exception_ptr(std::forward<E>(exception)));
  }

  /// Ends it: throws GeneratorExit at the co_yield at which it stands; its objects are destroyed. Does
  /// nothing if it has ended. Throws RuntimeError if it yields in answer, and what it throws if that is
  /// another exception.
  void close() { core().close(); }

  /// It has returned, thrown or been closed.
  bool done() const noexcept { return !frame_ || promise().state == detail::GeneratorState::ended; }

  /// What it returned. Throws InvalidStateError if it has not: it runs, threw, or was closed.
  template <class R = Return>
  std::add_lvalue_reference_t<R> result() const {
    if (!core().returned) core().throw_not_returned();
    if constexpr (!std::is_void_v<R>) return promise().result.get();
  }

  /// Runs to the next co_yield. The iterators of a generator all stand where it stands; one pass.
  iterator begin() {
    core().advance();
    return iterator(core());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// For eddy's own layers.
  std::coroutine_handle<>* holder() noexcept { return &frame_; }
  detail::GeneratorCore& core() const {
    if (!frame_) [[unlikely]]
      detail::throw_generator_moved();
    return promise();
  }

 private:
  friend promise_type;
  explicit Generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  promise_type& promise() const noexcept {
    return std::coroutine_handle<promise_type>::from_address(frame_.address()).promise();
  }
  static Next taken(void* value) { return value ? Y::take(value) : Y::nothing(); }

  std::coroutine_handle<> frame_;
};

template <class Yield, class Send, class Return>
class Generator<Yield, Send, Return>::iterator {
 public:
  using value_type = typename Y::Value;
  using difference_type = std::ptrdiff_t;

  explicit iterator(detail::GeneratorCore& core) noexcept : core_(&core) {}

  typename Y::Reference operator*() const noexcept { return Y::at(core_->value()); }
  iterator& operator++() {
    core_->advance();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
    return it.core_->state == detail::GeneratorState::ended;
  }

 private:
  detail::GeneratorCore* core_;
};

/// `yield from`: `co_yield from(x)` yields all that `x` yields, sends it what is sent and throws into it what
/// is thrown, in its place, and gives what it returns.
///
/// `x` is a generator (a temporary or std::move(g): from() takes it over), a range, or an object with next();
/// a named range or object is referred to, a temporary is kept. One that has only next() refuses what is
/// sent: TypeError.
template <iterable X>
[[nodiscard("co_yield it")]] detail::From<X> from(X&& x) {
  static_assert(!std::is_lvalue_reference_v<X> || !detail::kIsGenerator<X>,
                "eddy: from() takes over the generator: from(std::move(generator))");
  return detail::From<X>(std::forward<X>(x));
}

/// Walks several ranges as one: Python's itertools.chain. Named ranges are referred to, temporaries are kept.
/// It yields copies of their elements, as the elements' common type.
template <std::ranges::range... Ranges>
requires(sizeof...(Ranges) >
         0) Generator<std::common_type_t<std::ranges::range_value_t<Ranges>...>> chain(Ranges&&... ranges);

/// Python's builtin `next(g)`: a value, or StopIteration at the end.
template <iterator_like G>
auto next(G& generator) {
  auto value = generator.next();
  if (value) return std::remove_cvref_t<decltype(*value)>(*std::move(value));
  if constexpr (requires { typename G::return_type; }) {
    if constexpr (!std::is_void_v<typename G::return_type>) {
      if (generator.core().returned) throw StopIteration<typename G::return_type>(generator.result());
    }
  }
  throw StopIteration<>();
}
/// The same with a value for the end.
template <iterator_like G, class Default>
auto next(G& generator, Default&& otherwise) {
  auto value = generator.next();
  using Value = std::remove_cvref_t<decltype(*value)>;
  return value ? Value(*std::move(value)) : Value(std::forward<Default>(otherwise));
}

// Implementation

}  // namespace eddy

template <class Yield, class Send, class Return>
inline constexpr bool std::ranges::enable_view<eddy::Generator<Yield, Send, Return>> = true;

namespace eddy::detail {

template <class A>
std::suspend_never GeneratorCore::await_transform(A&&) const noexcept {
  static_assert(kNever<A>,
                "eddy: a Generator cannot co_await: it does not run in a task; a coroutine that yields "
                "values and awaits is an AsyncGenerator<T>");
  return {};
}

template <class Y, class S, class R>
Generator<Y, S, R> GeneratorPromise<Y, S, R>::get_return_object() noexcept {
  return Generator<Y, S, R>(std::coroutine_handle<GeneratorPromise>::from_promise(*this));
}
template <class Y, class S>
Generator<Y, S, void> GeneratorPromise<Y, S, void>::get_return_object() noexcept {
  return Generator<Y, S, void>(std::coroutine_handle<GeneratorPromise>::from_promise(*this));
}

}  // namespace eddy::detail

#include <eddy/detail/yield_from.hpp>

// SPDX-License-Identifier: MIT
// Asynchronous generators: Python's `async def` with a `yield` (PEP 525).
#pragma once

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <eddy/coro.hpp>
#include <eddy/detail/yield.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/generators.hpp>
#include <eddy/iterators.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace eddy {

template <class Yield, class Send = void>
class AsyncGenerator;

namespace detail {

/// What a step is asked to do; in errors it has the name that Python gives it.
enum class AsyncStepKind : std::uint8_t { anext, athrow, aclose };

/// The untyped half of an asynchronous generator. A step starts it, or resumes it, inside of the await of its
/// consumer, as if it were a Coro that is awaited anew; a co_yield is the end of a step.
struct AsyncGeneratorCore : PromiseBase, ListNode {
  std::exception_ptr injected;  // to be thrown at its co_yield
  std::exception_ptr error;     // what ended it, until somebody has caught it
  void* current = nullptr;      // where what was yielded is; null: nothing
  void* sending = nullptr;
  GeneratorState state = GeneratorState::created;

  void unhandled_exception() noexcept;
  void return_void() const noexcept {}

  void*& yielded_value() noexcept { return current; }
  void*& sent_value() noexcept { return sending; }
  void stands_in_line(int at) noexcept { line = static_cast<std::uint32_t>(at); }
  void stand_at_yield() noexcept {
    state = GeneratorState::suspended;
    return_to_parent();
  }

  std::coroutine_handle<> frame() noexcept {
    return std::coroutine_handle<AsyncGeneratorCore>::from_promise(*this);
  }

  /// Before it is resumed. False: there is nothing to resume; end_step() tells the outcome.
  bool begin_step(AsyncStepKind kind, void* what);
  /// After it has come back: true if it stands at a co_yield. Throws what ended it.
  bool end_step(AsyncStepKind kind);
  /// Its consumer is gone in the middle of a step: it will never go on.
  void abandon() noexcept;
  void destroy() noexcept;
};

/// One step of a generator: runs it to its next co_yield, inside of the awaiting task.
class AsyncStep {
 public:
  AsyncStep(AsyncGeneratorCore& generator, AsyncStepKind kind,
            std::exception_ptr exception = nullptr) noexcept
      : core_(&generator), injected_(std::move(exception)), kind_(kind) {}
  AsyncStep(AsyncStep&& other) noexcept
      : core_(other.core_), injected_(std::move(other.injected_)), kind_(other.kind_) {}
  ~AsyncStep() {
    if (waits_) [[unlikely]]
      core_->abandon();
  }

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> where) {
    return start(where, nullptr);
  }

 protected:
  template <class Promise>
  bool start(std::coroutine_handle<Promise> where, void* sending) {
    core_->injected = std::move(injected_);
    if (!core_->begin_step(kind_, sending)) return false;
    waits_ = true;
    if (!run_child(*core_, core_->frame(), where, std::derived_from<Promise, PromiseBase>)) [[unlikely]] return true;
    if (core_->state != GeneratorState::running || core_->frame().done()) return false;
    core_->progress = Progress::apart;
    return true;
  }
  /// The address of what was yielded, or null.
  void* finish() {
    waits_ = false;
    return core_->end_step(kind_) ? core_->current : nullptr;
  }

 private:
  AsyncGeneratorCore* core_;
  std::exception_ptr injected_;
  AsyncStepKind kind_;
  bool waits_ = false;
};

class AsyncClose final : public AsyncStep {
 public:
  explicit AsyncClose(AsyncGeneratorCore& generator)
      : AsyncStep(generator, AsyncStepKind::aclose, std::make_exception_ptr(GeneratorExit())) {}
  void await_resume() { finish(); }
};

template <class Y>
class AsyncNext final : public AsyncStep {
 public:
  using AsyncStep::AsyncStep;
  typename Yielded<Y>::Next await_resume() {
    void* value = finish();
    return value ? Yielded<Y>::take(value) : Yielded<Y>::nothing();
  }
};

template <class Y, class S>
class AsyncSend final : public AsyncStep {
 public:
  AsyncSend(AsyncGeneratorCore& generator, S value)
      : AsyncStep(generator, AsyncStepKind::anext), value_(std::move(value)) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> where) {
    return start(where, address_of(value_));
  }
  typename Yielded<Y>::Next await_resume() {
    void* value = finish();
    return value ? Yielded<Y>::take(value) : Yielded<Y>::nothing();
  }

 private:
  S value_;
};

template <class Y, class S>
struct AsyncGeneratorPromise final : YieldPromise<AsyncGeneratorCore, Y, S> {
  using YieldPromise<AsyncGeneratorCore, Y, S>::yield_value;
  AsyncGenerator<Y, S> get_return_object() noexcept;
  template <class X>
  std::suspend_never yield_value(From<X>) {
    static_assert(kNever<X>,
                  "eddy: an AsyncGenerator cannot delegate with from(): loop over the inner one and "
                  "co_yield each value");
    return {};
  }
};

}  // namespace detail

/// A coroutine that awaits and yields values: Python's asynchronous generator.
///
///     AsyncGenerator<int> ticker(int n) {
///       for (int i = 0; i < n; ++i) {
///         co_await sleep(1s);
///         co_yield i;
///       }
///     }
///     auto ticks = ticker(3);
///     while (auto tick = co_await ticks.next()) use(*tick);   // async for
///
/// Its body runs inside the task that awaits next(), and in no other: a cancellation of that task is thrown
/// at the innermost await inside of the generator, and the task's await chain shows its line. One step at a
/// time.
///
/// Destroying it destroys what it holds, at once, as C++ does: destructors run, but no handler does, and
/// nothing can be awaited. One whose cleaning up awaits needs `co_await it.aclose()`, or `aclosing()` of
/// contextlib.hpp. What the caller of `run()` still holds at its end is closed by it, the newest first.
template <class Yield, class Send>
class [[nodiscard]] AsyncGenerator {
 public:
  using promise_type = detail::AsyncGeneratorPromise<Yield, Send>;
  using eddy_generator = AsyncGenerator;
  using yield_type = Yield;
  using send_type = Send;
  /// A value or nothing; for a `Yield` that is `T&`, a pointer or null.
  using Next = typename detail::Yielded<Yield>::Next;

  AsyncGenerator(AsyncGenerator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
    AsyncGenerator(std::move(other)).swap(*this);
    return *this;
  }
  ~AsyncGenerator() {
    if (frame_) frame_.promise().destroy();
  }
  void swap(AsyncGenerator& other) noexcept { std::swap(frame_, other.frame_); }

  /// `__anext__`: runs to the next co_yield and gives its value; nothing once the generator has ended. Throws
  /// what the body throws, and RuntimeError while another step of it is under way.
  [[nodiscard("co_await it")]] detail::AsyncNext<Yield> next() {
    return {promise(), detail::AsyncStepKind::anext};
  }

  /// The same; the co_yield at which it stands gives `value`. Throws TypeError if it has not been started.
  [[nodiscard("co_await it")]] auto asend(detail::Sendable<Send> value) requires(!std::is_void_v<Send>) {
    return detail::AsyncSend<Yield, Send>(promise(), std::move(value));
  }

  /// Throws `exception` at the co_yield at which it stands, and runs to the next one, as next().
  [[nodiscard("co_await it")]] detail::AsyncNext<Yield> athrow(std::exception_ptr exception) {
    return {promise(), detail::AsyncStepKind::athrow, std::move(exception)};
  }
  template <class E>
  requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
      [[nodiscard("co_await it")]] detail::AsyncNext<Yield> athrow(E&& exception) {
    return athrow(std::make_exception_ptr(std::forward<E>(exception)));
  }

  /// Ends it: throws GeneratorExit at its co_yield, and waits until it has cleaned up. Does nothing if it has
  /// ended. Throws RuntimeError if it yields in answer.
  [[nodiscard("co_await it")]] detail::AsyncClose aclose() { return detail::AsyncClose(promise()); }

  /// It has returned, thrown or been closed.
  bool done() const noexcept { return !frame_ || frame_.promise().state == detail::GeneratorState::ended; }

 private:
  friend promise_type;
  explicit AsyncGenerator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  promise_type& promise() const {
    if (!frame_) [[unlikely]]
      detail::throw_generator_moved();
    return frame_.promise();
  }

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class Y, class S>
AsyncGenerator<Y, S> AsyncGeneratorPromise<Y, S>::get_return_object() noexcept {
  return AsyncGenerator<Y, S>(std::coroutine_handle<AsyncGeneratorPromise>::from_promise(*this));
}

template <class It>
using AsyncItem =
    std::remove_reference_t<AwaitResult<decltype(std::declval<std::remove_reference_t<It>&>().next())>>;

template <class It, class F>
Coro<> for_each_of(It iterable, F function) {
  while (auto item = co_await iterable.next()) {
    using Item = decltype(*std::move(item));
    if constexpr (Awaitable<std::invoke_result_t<F&, Item>>)
      co_await function(*std::move(item));
    else
      function(*std::move(item));
  }
}

template <class It>
Coro<std::remove_cvref_t<decltype(*std::declval<AsyncItem<It>&>())>> anext_of(It& iterable) {
  auto item = co_await iterable.next();
  if (!item) throw StopAsyncIteration();
  co_return *std::move(item);
}
template <class It, class Value>
Coro<Value> anext_of(It& iterable, Value otherwise) {
  auto item = co_await iterable.next();
  if (item) co_return *std::move(item);
  co_return std::move(otherwise);
}

template <class G>
Coro<typename G::return_type> coroutine_over(G generator) {
  while (auto step = generator.next()) {
    if constexpr (Awaitable<std::remove_reference_t<decltype(*step)>>)
      co_await *std::move(step);
    else
      co_await YieldAwaiter();
  }
  if constexpr (!std::is_void_v<typename G::return_type>) co_return std::move(generator.result());
}

}  // namespace detail

/// `async for`: calls `function(value)` with each value, and awaits what it returns if that can be awaited. A
/// named iterable is referred to, a temporary is kept.
template <async_iterable It, class F>
[[nodiscard("co_await it")]] Coro<> for_each(It&& iterable, F function) {
  return detail::for_each_of<It, F>(std::forward<It>(iterable), std::move(function));
}

/// Python's builtin `anext(it)`: a value, or StopAsyncIteration at the end.
template <async_iterable It>
[[nodiscard("co_await it")]] auto anext(It& iterable) {
  return detail::anext_of<It>(iterable);
}
/// The same with a value for the end.
template <async_iterable It, class Default>
[[nodiscard("co_await it")]] auto anext(It& iterable, Default otherwise) {
  using Value = std::remove_cvref_t<decltype(*std::declval<detail::AsyncItem<It>&>())>;
  return detail::anext_of<It, Value>(iterable, Value(std::move(otherwise)));
}

/// Lets a generator be awaited, as types.coroutine does: each co_yield of something awaitable awaits it, any
/// other steps aside for one turn of the loop. Gives what the generator returns.
template <class Y, class S, class R>
[[nodiscard("co_await it or create_task() it")]] Coro<R> as_coroutine(Generator<Y, S, R> generator) {
  return detail::coroutine_over(std::move(generator));
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <eddy/detail/await.hpp>
#include <eddy/detail/result_slot.hpp>
#include <eddy/detail/task_core.hpp>
#include <type_traits>
#include <utility>

namespace eddy {

template <class T>
class Coro;

namespace detail {

enum class Progress : std::uint8_t {
  created,  // nobody has awaited it
  refused,  // nobody will, and nobody has to be told of it
  nested,   // runs inside its parent's await, on the parent's stack: if it ends there, the parent does not suspend at all
  apart,    // its parent has suspended: the end resumes the parent from the loop
  root,     // a task's outermost coroutine
};

/// What every eddy coroutine's frame knows: who awaits it and where it stands.
struct PromiseBase {
  // The bit of `continuation` that says that its promise is no PromiseBase.
  static constexpr std::uintptr_t kForeignParent = 1;

  // Set where the coroutine is awaited: who awaits it. Of a root: the file that made the task (const char*).
  void* continuation;
  // From here on set by initial_suspend(). Eight bytes that one instruction stores; between the pointers, because g++ 12
  // would gather those in a vector register, which takes longer than storing them.
  const char* function;
  std::uint32_t line;          // of the await it stands at
  std::uint16_t created_line;  // of a root: where the task was made
  Progress progress;
  Outcome outcome;  // also of a coroutine that has not ended: a destructor may throw behind its co_return
  const char* file;

  PromiseBase() noexcept {}

  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { pool_deallocate(frame, bytes); }

  std::suspend_always initial_suspend(const char* name = __builtin_FUNCTION(), const char* source = __builtin_FILE(),
                                      int at = __builtin_LINE()) noexcept {
    function = name;
    file = source;
    line = static_cast<std::uint32_t>(at);
    created_line = 0;
    progress = Progress::created;
    outcome = Outcome::none;
    return {};
  }

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      self.promise().return_to_parent();
    }
    void await_resume() const noexcept {}
  };
  Final final_suspend() noexcept { return {}; }

  template <Awaitable A>
  A&& await_transform(A&& awaitable, int at = __builtin_LINE()) noexcept {
    line = static_cast<std::uint32_t>(at);
    return static_cast<A&&>(awaitable);
  }
  template <Awaitable A>
    requires PlainAwaiter<A>
  AwaiterInPlace<std::remove_reference_t<A>> await_transform(A&& awaiter, int at = __builtin_LINE()) noexcept {
    line = static_cast<std::uint32_t>(at);
    return {awaiter};
  }
  template <class T>
  std::suspend_never await_transform(Coro<T>&) noexcept {
    static_assert(kNever<T>, "eddy: a Coro is awaited once, where it is made or as std::move(coro); to await it "
                             "more than once, make a task of it with create_task()");
    return {};
  }
  template <class A>
    requires(!Awaitable<A>)
  std::suspend_never await_transform(A&&) noexcept {
    static_assert(!kIsGenerator<A>, "eddy: a generator cannot be awaited: iterate over it, await it.next() of an "
                                    "AsyncGenerator, or co_await eddy::as_coroutine(generator)");
    static_assert(kNever<A> || kIsGenerator<A>, "eddy: this cannot be awaited. co_await takes a Coro, a Task, a Future, or a type with "
                             "operator co_await; a blocking function goes through co_await eddy::to_thread(function)");
    return {};
  }
  template <class T>
  std::suspend_never yield_value(T&&) noexcept {
    static_assert(kNever<T>, "eddy: a Coro cannot co_yield: it gives one result, with co_return; a coroutine that "
                             "yields values and awaits is an AsyncGenerator<T>");
    return {};
  }

  void awaited_by(std::coroutine_handle<> parent, bool parent_is_eddy) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(parent.address());
    continuation = reinterpret_cast<void*>(parent_is_eddy ? address : address | kForeignParent);
  }
  std::coroutine_handle<> parent() const noexcept {
    return std::coroutine_handle<>::from_address(
        reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(continuation) & ~kForeignParent));
  }
  bool parent_is_eddy() const noexcept { return (reinterpret_cast<std::uintptr_t>(continuation) & kForeignParent) == 0; }

  /// The coroutine has ended, or stands at a yield: who awaits it goes on.
  void return_to_parent() noexcept {
    if (progress == Progress::apart) resume_parent();
  }

 private:
  // The step that runs goes on with the parent when this coroutine has left the stack: no build, not even
  // one without tail calls, grows its stack with the number of completions.
  void resume_parent() noexcept {
    TaskCore& task = *this_thread.task;
    task.resume_point = parent();
    task.flags |= kContinue;
  }
};

/// Runs `child` inside the await of `parent`. False: the stack is too short, the loop will run it.
inline bool run_child(PromiseBase& child, std::coroutine_handle<> self, std::coroutine_handle<> parent,
                      bool parent_is_eddy) noexcept {
  child.awaited_by(parent, parent_is_eddy);
  child.progress = Progress::nested;
  if (stack_is_short()) [[unlikely]] {
    // Order matters: the child must know that its parent is suspended before it runs, from the loop.
    child.progress = Progress::apart;
    TaskCore& task = *this_thread.task;
    task.resume_point = self;
    task.flags |= kContinue;
    return false;
  }
  self.resume();
  return true;
}

/// The same, until it ends or waits. False: it ended at once, the parent goes on.
inline bool start_child(PromiseBase& child, std::coroutine_handle<> self, std::coroutine_handle<> parent,
                        bool parent_is_eddy) noexcept {
  if (!run_child(child, self, parent, parent_is_eddy)) [[unlikely]] return true;
  if (self.done()) return false;
  child.progress = Progress::apart;
  return true;
}

[[gnu::cold]] void report_never_awaited(const PromiseBase& promise) noexcept;
/// The exception that is being handled leaves this coroutine: noted in the running task, for reports.
[[gnu::cold]] void note_unwinding(const PromiseBase& promise) noexcept;
[[noreturn, gnu::cold]] void throw_coroutine_reused();

template <class T>
struct CoroPromise final : ResultSlot<T, PromiseBase> {
  static_assert(alignof(Stored<T>) <= 2 * sizeof(void*),
                "eddy: a coroutine's result cannot be over-aligned; give a std::unique_ptr to it");

  Coro<T> get_return_object() noexcept;
  template <class U = T>
    requires std::constructible_from<T, U>
  void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    this->set_value(static_cast<U&&>(value));
  }
  void unhandled_exception() noexcept {
    this->set_current_exception();
    if (this->outcome == Outcome::error) note_unwinding(*this);
  }
};

template <>
struct CoroPromise<void> final : ResultSlot<void, PromiseBase> {
  Coro<void> get_return_object() noexcept;
  void return_void() noexcept { set_value(); }
  void unhandled_exception() noexcept {
    set_current_exception();
    if (outcome == Outcome::error) note_unwinding(*this);
  }
};

template <class T>
class CoroAwaiter {
 public:
  using Handle = std::coroutine_handle<CoroPromise<T>>;
  explicit CoroAwaiter(Handle child) noexcept : child_(child) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> parent) noexcept {
    return start_child(child_.promise(), child_, parent, std::derived_from<Promise, PromiseBase>);
  }
  T await_resume() { return child_.promise().take(); }

 private:
  Handle child_;
};

}  // namespace detail

/// A coroutine that has not been started: Python's `async def`.
///
///     Coro<int> answer() {
///       co_await sleep(1s);
///       co_return 42;
///     }
///     int x = co_await answer();            // runs inside the awaiting task, without a trip through the loop
///     Task<int> t = create_task(answer());  // runs beside it
///
/// Awaited once, as an rvalue; a second time throws RuntimeError. A Coro that is destroyed without having been started runs nothing and is
/// reported to the loop's exception handler. Its parameters are copied into its frame; references among
/// them must outlive it.
template <class T = void>
class [[nodiscard("co_await it or create_task() it")]] Coro {
  static_assert(!std::is_rvalue_reference_v<T> && !std::is_const_v<T>, "eddy: a coroutine gives a value, an lvalue reference or nothing");

 public:
  using promise_type = detail::CoroPromise<T>;
  using value_type = T;

  Coro() noexcept = default;
  Coro(Coro&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Coro& operator=(Coro&& other) noexcept {
    Coro(std::move(other)).swap(*this);
    return *this;
  }
  ~Coro() {
    if (!frame_) return;
    if (frame_.promise().progress == detail::Progress::created) [[unlikely]] {
      detail::report_never_awaited(frame_.promise());
    }
    frame_.destroy();
  }

  void swap(Coro& other) noexcept { std::swap(frame_, other.frame_); }
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

  auto operator co_await() && {
    check_unused();
    return detail::CoroAwaiter<T>(frame_);
  }
  /// Throws RuntimeError if it has been awaited, made a task of, or moved away.
  void check_unused() const {
    if (!frame_ || frame_.promise().progress != detail::Progress::created) [[unlikely]] detail::throw_coroutine_reused();
  }

  std::coroutine_handle<promise_type> frame() const noexcept { return frame_; }
  /// Hands the frame over; for those that schedule coroutines.
  std::coroutine_handle<promise_type> release() noexcept { return std::exchange(frame_, nullptr); }

 private:
  friend promise_type;
  explicit Coro(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
Coro<T> CoroPromise<T>::get_return_object() noexcept {
  return Coro<T>(std::coroutine_handle<CoroPromise>::from_promise(*this));
}
inline Coro<void> CoroPromise<void>::get_return_object() noexcept {
  return Coro<void>(std::coroutine_handle<CoroPromise>::from_promise(*this));
}

}  // namespace detail
}  // namespace eddy

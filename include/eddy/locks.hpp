// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <eddy/coro.hpp>
#include <eddy/detail/list.hpp>
#include <eddy/detail/task_core.hpp>
#include <utility>

namespace eddy {

namespace detail {

/// A wait on `Primitive`, whose `try_acquire`, `enqueue` and `finish_wait` do the work.
template <class Primitive>
class AcquireAwaiter {
 public:
  explicit AcquireAwaiter(Primitive& primitive) noexcept : primitive_(&primitive) {}

  bool await_ready() noexcept { return primitive_->try_acquire(); }
  void await_suspend(std::coroutine_handle<> where) {
    std::exchange(primitive_, nullptr)->enqueue(current_task_core(), where);
  }
  void await_resume() {
    if (!primitive_) finish_wait();
  }

 protected:
  Primitive* primitive_;  // null while the task waits, which knows for what

 private:
  void finish_wait() {
    TaskCore& task = current_task_core();
    primitive_ = static_cast<Primitive*>(task.object);
    primitive_->finish_wait(task);
  }
};

}  // namespace detail

/// Releases a lock or gives a semaphore's slot back at the end of a scope. Moved, not copied.
template <class Primitive>
class [[nodiscard("it releases at the end of its scope: give it a name")]] Held {
 public:
  explicit Held(Primitive& primitive) noexcept : primitive_(&primitive) {}
  Held(Held&& other) noexcept : primitive_(std::exchange(other.primitive_, nullptr)) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(primitive_, other.primitive_);
    return *this;
  }
  // A coroutine that is destroyed with its loop may stand in Condition::wait(), which gave the lock back.
  ~Held() {
    if (primitive_) try {
        primitive_->release();
      } catch (...) {
      }
  }

  /// Releases now.
  void release() {
    if (auto* primitive = std::exchange(primitive_, nullptr)) primitive->release();
  }

 private:
  Primitive* primitive_;
};

namespace detail {

template <class Primitive>
class HeldAwaiter : public AcquireAwaiter<Primitive> {
 public:
  using AcquireAwaiter<Primitive>::AcquireAwaiter;
  Held<Primitive> await_resume() {
    AcquireAwaiter<Primitive>::await_resume();
    return Held<Primitive>(*this->primitive_);
  }
};

}  // namespace detail

/// Mutual exclusion between tasks: `asyncio.Lock`. Not for threads.
///
///     auto held = co_await lock;   // released at the end of the scope
///
/// First come, first served: after a release the task that waits longest gets it, even if the releaser
/// asks again at once. A waiter that is cancelled passes its turn on. Belongs to one loop.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool locked() const noexcept { return locked_; }

  /// Waits until the lock is free and takes it.
  [[nodiscard("co_await it")]] auto acquire() noexcept { return detail::AcquireAwaiter<Lock>(*this); }
  auto operator co_await() noexcept { return detail::HeldAwaiter<Lock>(*this); }

  /// Wakes the next waiter; nothing runs before the caller's next await. Throws RuntimeError if it is free.
  void release();

 private:
  friend detail::AcquireAwaiter<Lock>;
  friend struct detail::DebuggerLayout;
  bool try_acquire() noexcept;
  void enqueue(detail::TaskCore& task, std::coroutine_handle<> where);
  void finish_wait(detail::TaskCore& task);
  void wake_first() noexcept;
  static const detail::WaitOps kOps;

  bool locked_ = false;
  const detail::TaskCore* owner_ = nullptr;  // for reports alone; may be gone
  detail::List waiters_;                     // in order of arrival; stay until they have run
};

/// A flag that tasks can wait for: `asyncio.Event`.
///
/// The flag starts clear. `set()` wakes every waiting task, in the order in which they began to wait; while
/// it stays set, `wait()` does not suspend. Woken tasks run on the loop's next turn, also after a clear().
///
///     Event ready;
///     Coro<> consumer() {
///       co_await ready.wait();
///       std::puts("go");
///     }
///
/// Belongs to one loop. From another thread: `loop.call_soon_threadsafe([&] { ready.set(); })`.
class Event {
 public:
  Event() = default;
  /// For eddy's own layers: an event that `purpose` describes better, "the last connection to end".
  explicit Event(const char* purpose) noexcept : purpose_(purpose) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool is_set() const noexcept { return set_; }
  /// Wakes all who wait. Throws RuntimeError if their loop runs on another thread.
  void set();
  void clear() noexcept { set_ = false; }

  /// Suspends until the flag is set.
  [[nodiscard("co_await it")]] auto wait() noexcept { return detail::AcquireAwaiter<Event>(*this); }

 private:
  friend detail::AcquireAwaiter<Event>;
  bool try_acquire() const noexcept { return set_; }
  void enqueue(detail::TaskCore& task, std::coroutine_handle<> where);
  void finish_wait(detail::TaskCore& task);
  static const detail::WaitOps kOps;

  bool set_ = false;
  const char* purpose_ = nullptr;  // for reports alone
  detail::List waiters_;
};

/// A number of slots: `asyncio.Semaphore`.
///
///     auto slot = co_await semaphore;   // given back at the end of the scope
///
/// A slot that is released is handed to the task that waits longest; a waiter that is cancelled gives it
/// on. Belongs to one loop.
class Semaphore {
 public:
  /// Throws ValueError if `value` is negative.
  explicit Semaphore(std::ptrdiff_t value = 1);
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Whether acquire() would have to wait.
  bool locked() const noexcept;
  [[nodiscard("co_await it")]] auto acquire() noexcept { return detail::AcquireAwaiter<Semaphore>(*this); }
  auto operator co_await() noexcept { return detail::HeldAwaiter<Semaphore>(*this); }

  void release();

 protected:
  Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound);

 private:
  friend detail::AcquireAwaiter<Semaphore>;
  bool try_acquire() noexcept;
  void enqueue(detail::TaskCore& task, std::coroutine_handle<> where);
  void finish_wait(detail::TaskCore& task);
  bool wake_next() noexcept;
  static const detail::WaitOps kOps;

  std::ptrdiff_t value_;
  std::ptrdiff_t bound_;  // release() above it throws; -1: none
  detail::List waiters_;
};

/// A Semaphore whose release() throws ValueError above its initial value.
class BoundedSemaphore : public Semaphore {
 public:
  explicit BoundedSemaphore(std::ptrdiff_t value = 1) : Semaphore(value, value) {}
};

class Barrier;

/// A lock and a place to wait for what it protects to change: `asyncio.Condition`.
///
///     auto held = co_await condition;
///     co_await condition.wait_for([&] { return !goods.empty(); });
class Condition {
 public:
  Condition() noexcept : lock_(own_) {}
  /// Shares `lock`, which must outlive it.
  explicit Condition(Lock& lock) noexcept : lock_(lock) {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  bool locked() const noexcept { return lock_.locked(); }
  [[nodiscard("co_await it")]] auto acquire() noexcept { return lock_.acquire(); }
  auto operator co_await() noexcept { return lock_.operator co_await(); }
  void release() { lock_.release(); }

  /// Releases the lock, waits for a notification, takes the lock again: also when it is cancelled. Throws
  /// RuntimeError if the lock is not held.
  Coro<> wait();
  /// Waits until `predicate()` is true; it is asked with the lock held.
  template <class P>
  Coro<> wait_for(P predicate) {
    while (!predicate()) co_await wait();
  }

  /// Wakes up to `n` waiters, the longest waiting first. Throws RuntimeError if the lock is not held.
  void notify(std::size_t n = 1);
  void notify_all() { notify(static_cast<std::size_t>(-1)); }

 private:
  friend detail::AcquireAwaiter<Condition>;
  friend class Barrier;
  bool try_acquire() const noexcept { return false; }
  void enqueue(detail::TaskCore& task, std::coroutine_handle<> where);
  void finish_wait(detail::TaskCore& task);
  void wake(std::size_t n) noexcept;
  static const detail::WaitOps kOps;

  Lock own_;
  Lock& lock_;
  const Barrier* barrier_ = nullptr;  // whose it is, for reports
  detail::List waiters_;
};

/// A meeting point of a fixed number of tasks: `asyncio.Barrier`.
class Barrier {
 public:
  /// Throws ValueError if `parties` is 0.
  explicit Barrier(std::size_t parties);

  /// Waits until all parties wait; gives each its number, 0 to parties - 1. Throws BrokenBarrierError if
  /// the barrier is aborted, or reset meanwhile.
  Coro<std::size_t> wait();
  /// Empties it: those that wait get BrokenBarrierError, those that come later start anew.
  Coro<> reset();
  /// Breaks it for good, until reset().
  Coro<> abort();

  std::size_t parties() const noexcept { return parties_; }
  std::size_t n_waiting() const noexcept { return state_ == State::filling ? count_ : 0; }
  bool broken() const noexcept { return state_ == State::broken; }

 private:
  friend class Condition;
  enum class State { filling, draining, resetting, broken };
  void leave();

  Condition condition_;
  std::size_t parties_;
  std::size_t count_ = 0;  // tasks inside of wait()
  State state_ = State::filling;
};

}  // namespace eddy

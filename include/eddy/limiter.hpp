// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <eddy/coro.hpp>
#include <eddy/detail/list.hpp>
#include <eddy/detail/task_core.hpp>
#include <utility>
#include <vector>

namespace eddy {

struct LimiterStatistics {
  std::size_t borrowed_tokens = 0;
  std::size_t total_tokens = 0;
  std::size_t tasks_waiting = 0;
  std::vector<const void*> borrowers;  // a task's is the address that identifies it, else what was given
};

/// A number of tokens that are borrowed and given back, each by a known borrower: trio's `CapacityLimiter`.
///
///     CapacityLimiter limiter(3);
///     auto token = co_await limiter;                              // given back at the end of the scope
///     co_await eddy::to_thread({.limiter = &limiter}, blocking);  // at most 3 such threads at a time
///
/// Unlike a Semaphore it knows who holds a token: nobody borrows twice or gives back what he does not hold,
/// and the number may change at any time. Tokens go to those that wait longest. Belongs to one loop.
class CapacityLimiter {
 public:
  class Token;
  class Acquire;
  class AcquireToken;

  /// Throws ValueError for 0.
  explicit CapacityLimiter(std::size_t total_tokens);
  CapacityLimiter(const CapacityLimiter&) = delete;
  CapacityLimiter& operator=(const CapacityLimiter&) = delete;

  std::size_t total_tokens() const noexcept { return total_; }
  /// More tokens wake waiters; with fewer, those that are out stay out until they come back. Throws
  /// ValueError for 0.
  void set_total_tokens(std::size_t total);
  std::size_t borrowed_tokens() const noexcept { return borrowers_.size(); }
  /// Negative after set_total_tokens() below what is borrowed.
  std::ptrdiff_t available_tokens() const noexcept {
    return static_cast<std::ptrdiff_t>(total_) - static_cast<std::ptrdiff_t>(borrowers_.size());
  }
  LimiterStatistics statistics() const;

  /// Borrows a token for the running task, or for `borrower`, any address that identifies one; waits until
  /// there is one. Throws RuntimeError if that borrower has one already.
  [[nodiscard("co_await it")]] Acquire acquire();
  [[nodiscard("co_await it")]] Acquire acquire_on_behalf_of(const void* borrower) noexcept;
  /// acquire() with a guard that gives it back.
  AcquireToken operator co_await();

  /// Throws RuntimeError if the running task, or `borrower`, has no token.
  void release();
  void release_on_behalf_of(const void* borrower);

 private:
  bool try_acquire(const void* borrower);
  void enqueue(detail::TaskCore& task, std::coroutine_handle<> where, Acquire& acquire) noexcept;
  void finish_wait(detail::TaskCore& task, const void* borrower);
  void forget(const void* borrower);
  void wake_waiters() noexcept;
  static const detail::WaitOps kOps;

  std::size_t total_;
  std::vector<const void*> borrowers_;  // searched from front to back: fine for hundreds
  detail::List waiters_;                // in order of arrival; stay until they have run
};

/// Gives a token back at the end of a scope.
class [[nodiscard(
    "it gives the token back at the end of its scope: give it a name")]] CapacityLimiter::Token {
 public:
  Token(CapacityLimiter & limiter, const void* borrower) noexcept : limiter_(&limiter), borrower_(borrower) {}
  Token(Token && other) noexcept
      : limiter_(std::exchange(other.limiter_, nullptr)), borrower_(other.borrower_) {}
  Token& operator=(Token&&) = delete;
  ~Token() { release(); }
  void release() {
    if (auto* limiter = std::exchange(limiter_, nullptr)) limiter->release_on_behalf_of(borrower_);
  }

 private:
  CapacityLimiter* limiter_;
  const void* borrower_;
};

class CapacityLimiter::Acquire {
 public:
  Acquire(CapacityLimiter& limiter, const void* borrower) noexcept
      : limiter_(&limiter), borrower_(borrower) {}

  bool await_ready() { return limiter_->try_acquire(borrower_); }
  void await_suspend(std::coroutine_handle<> where) {
    limiter_->enqueue(detail::current_task_core(), where, *this);
    waited_ = true;
  }
  void await_resume() {
    if (waited_) limiter_->finish_wait(detail::current_task_core(), borrower_);
  }

 protected:
  friend CapacityLimiter;
  CapacityLimiter* limiter_;
  const void* borrower_;
  bool waited_ = false;
};

class CapacityLimiter::AcquireToken : public Acquire {
 public:
  using Acquire::Acquire;
  Token await_resume() {
    Acquire::await_resume();
    return Token(*limiter_, borrower_);
  }
};

inline CapacityLimiter::Acquire CapacityLimiter::acquire_on_behalf_of(const void* borrower) noexcept {
  return Acquire(*this, borrower);
}
inline CapacityLimiter::Acquire CapacityLimiter::acquire() {
  return Acquire(*this, &detail::current_task_core());
}
inline CapacityLimiter::AcquireToken CapacityLimiter::operator co_await() {
  return AcquireToken(*this, &detail::current_task_core());
}

}  // namespace eddy

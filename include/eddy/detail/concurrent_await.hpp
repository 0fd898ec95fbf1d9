// SPDX-License-Identifier: MIT
// Awaiting a concurrent::Future (for threads.hpp).
#pragma once

#include <coroutine>
#include <cstdint>
#include <eddy/concurrent.hpp>
#include <eddy/detail/references.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/detail/task_core.hpp>
#include <utility>

namespace eddy::detail {

/// A task that waits for a result of another thread. Counted: by the awaiter, by the future's callback, and
/// by the loop's inbox while it lies there.
///
///     waiting ---the future is done---> posting ---post()---> posted
///        |
///        '---cancelled, or the loop closes---> left
class ConcurrentWait final : public ReadyNode {
 public:
  ConcurrentWait() noexcept { run = &arrived; }
  ConcurrentWait(const ConcurrentWait&) = delete;

  void wait(std::coroutine_handle<> where, const std::shared_ptr<BlockingState>& state);
  /// After the await: throws CancelledError if the task was cancelled.
  void finish_wait();
  /// The awaiter is gone.
  void leave() noexcept;

 private:
  enum class Stage : unsigned char { waiting, posting, posted, left };
  class Callback;
  ~ConcurrentWait() = default;
  void future_is_done() noexcept;
  bool leave_future() noexcept;
  void release() noexcept {
    if (drop_reference(references_)) delete this;
  }
  static void arrived(ReadyNode& node, Dispatch how) noexcept;
  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void detach_wait(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kOps;

  std::shared_ptr<BlockingState> state_;
  LoopCore* loop_ = nullptr;
  TaskCore* waiter_ = nullptr;
  std::uint32_t references_ = 1;
  Stage stage_ = Stage::waiting;  // atomic
};

/// `kMove`: nobody else has the future, its value is moved out.
template <class T, bool kMove>
class [[nodiscard("co_await it")]] ConcurrentAwaiter {
 public:
  explicit ConcurrentAwaiter(concurrent::Future<T> future) noexcept : future_(std::move(future)) {}
  ConcurrentAwaiter(ConcurrentAwaiter && other) noexcept
      : future_(std::move(other.future_)), wait_(std::exchange(other.wait_, nullptr)) {}
  ~ConcurrentAwaiter() {
    if (wait_) wait_->leave();
  }

  bool await_ready() const { return future_.done(); }
  void await_suspend(std::coroutine_handle<> where) {
    wait_ = new ConcurrentWait();
    wait_->wait(where, future_.state());
  }
  T await_resume() {
    if (wait_) wait_->finish_wait();
    auto& state = *future_.state();
    state.throw_failure();
    if constexpr (std::is_void_v<T>) return;
    else if constexpr (kMove) return take_from(state.holder);
    else return state.holder.get();
  }

 private:
  concurrent::Future<T> future_;
  ConcurrentWait* wait_ = nullptr;
};

}  // namespace eddy::detail

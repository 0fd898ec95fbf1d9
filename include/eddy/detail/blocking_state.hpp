// SPDX-License-Identifier: MIT
// The thread-safe state of concurrent::Future, and type-erased jobs (for concurrent.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/future_await.hpp>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace eddy::detail {

/// A function that is called once, or dropped. Moved, never copied.
class Job {
 public:
  Job() noexcept = default;
  template <class F>
  Job(F function) : object_(new Holder<F>(std::move(function))) {}

  explicit operator bool() const noexcept { return object_ != nullptr; }
  void operator()() { std::exchange(object_, nullptr)->call(); }

  Job(Job&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Job& operator=(Job&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Job() { delete object_; }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void call() = 0;  // destroys itself
  };
  template <class F>
  struct Holder final : Base {
    explicit Holder(F f) : function(std::move(f)) {}
    void call() override {
      const std::unique_ptr<Holder> self(this);
      function();
    }
    F function;
  };
  Base* object_ = nullptr;
};

/// Pending, running, done; a lock and a condition behind it.
class BlockingState {
 public:
  BlockingState();
  BlockingState(const BlockingState&) = delete;
  BlockingState& operator=(const BlockingState&) = delete;
  ~BlockingState();

  bool done() const;
  bool running() const;
  bool cancelled() const;
  bool cancel();
  /// Blocks. Throws TimeoutError.
  void wait(Duration timeout) const;
  void throw_failure() const;
  std::exception_ptr failure() const;
  void on_done(Job callback);

  /// The worker's side. False: it was cancelled, do not run it.
  bool start();
  void finish(std::exception_ptr error);
  /// Ends it as cancelled although it may be running: a task that was cancelled.
  void finish_cancelled();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

template <class T>
struct BlockingBox : BlockingState {
  ValueHolder<T> holder;
};

/// A worker's hold of its job's state: a job that is thrown away unrun ends as cancelled.
template <class T>
class SubmittedState {
 public:
  explicit SubmittedState(std::shared_ptr<BlockingBox<T>> state) noexcept : state_(std::move(state)) {}
  SubmittedState(SubmittedState&&) noexcept = default;
  SubmittedState& operator=(SubmittedState&&) = delete;
  ~SubmittedState() {
    if (state_) state_->cancel();
  }
  BlockingBox<T>& operator*() const noexcept { return *state_; }

 private:
  std::shared_ptr<BlockingBox<T>> state_;
};

/// Runs a worker's function into its state.
template <class T, class F>
void run_job(BlockingBox<T>& state, F function) {
  if (!state.start()) return;
  try {
    if constexpr (std::is_void_v<T>) function();
    else state.holder.set(function());
  } catch (...) {
    return state.finish(std::current_exception());
  }
  state.finish(nullptr);
}

/// The order in which futures ended, for as_completed().
struct CompletedList;
void push_completed(CompletedList& list, std::size_t index);

class CompletionOrder {
 public:
  CompletionOrder(std::size_t count, Duration timeout);
  const std::shared_ptr<CompletedList>& shared() const noexcept { return list_; }
  std::size_t left() const noexcept { return left_; }
  /// Blocks for the next. Throws TimeoutError.
  std::size_t next();

 private:
  std::shared_ptr<CompletedList> list_;
  std::size_t left_;
  std::size_t total_;
  Duration timeout_;
  std::int64_t began_;  // on the steady clock, ns
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// The thread-safe state of concurrent::Future, and type-erased jobs (for concurrent.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/future_await.hpp>
#include <eddy/detail/owned.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <exception>
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
  /// Instead of the call: it cannot be made. Functions that cannot be told are dropped.
  void fail(const std::exception_ptr& error) { std::exchange(object_, nullptr)->fail(error); }

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
    virtual void fail(const std::exception_ptr& error) = 0;
  };
  template <class F>
  struct Holder final : Base {
    explicit Holder(F f) : function(std::move(f)) {}
    void call() override {
      const Owned<Holder> self(this);
      function();
    }
    void fail([[maybe_unused]] const std::exception_ptr& error) override {
      const Owned<Holder> self(this);
      if constexpr (requires { function.fail(error); }) function.fail(error);
    }
    F function;
  };
  Base* object_ = nullptr;
};

/// A function that is called any number of times, from several threads.
struct Callable {
  virtual ~Callable() = default;
  virtual void call() = 0;
};
template <class F>
struct CallableFunction final : Callable {
  explicit CallableFunction(F f) : function(std::move(f)) {}
  void call() override { function(); }
  F function;
};

/// A time by which something has to be done.
class Deadline {
 public:
  explicit Deadline(Duration timeout);
  /// What is left: 0 or less when it has passed, Duration::max() if it never does.
  Duration left() const;

 private:
  std::int64_t when_;  // on the steady clock, ns; INT64_MAX: never
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
  /// wait() for an executor's map(): the text of its TimeoutError names the limit of the whole.
  void wait_for_map(const Deadline& deadline, Duration limit) const;
  void throw_failure() const;
  std::exception_ptr failure() const;
  void on_done(Job callback);
  const char* stage_name() const;

  /// The worker's side. False: it was cancelled, do not run it.
  bool start();
  /// The sole right to end it, for whoever sets its result. Throws InvalidStateError if it is over.
  void claim(const char* operation);
  void finish(std::exception_ptr error);
  /// Ends it as cancelled although it may be running: a task that was cancelled.
  void finish_cancelled();

 private:
  struct Impl;
  Owned<Impl> impl_;
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

/// A function and its arguments on their way to a thread.
template <class T, class F>
class SubmittedCall {
 public:
  SubmittedCall(std::shared_ptr<BlockingBox<T>> state, F function) : job_(std::move(state)), function_(std::move(function)) {}
  void operator()();
  void fail(const std::exception_ptr& error) {
    if ((*job_).start()) (*job_).finish(error);
  }

 private:
  SubmittedState<T> job_;
  F function_;
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

template <class T, class F>
void SubmittedCall<T, F>::operator()() {
  run_job<T>(*job_, [this]() -> T { return function_(); });
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
  Deadline deadline_;
};

}  // namespace eddy::detail

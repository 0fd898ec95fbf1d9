// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/task_core.hpp>
#include <eddy/detail/future_await.hpp>
#include <eddy/detail/references.hpp>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy {

class EventLoop;

namespace detail {

EventLoop& loop_of(const FutureCore& core) noexcept;
void break_promise(FutureCore& core) noexcept;

template <class T>
struct FutureBox final : FutureCore, Pooled {
  using Value = Stored<T>;
  explicit FutureBox(LoopCore* owner) noexcept : FutureCore(owner, &kOps) {}
  [[no_unique_address]] ValueHolder<T> holder;

 private:
  static void destroy_box(FutureCore& core) noexcept { delete static_cast<FutureBox*>(&core); }
  static constexpr FutureOps kOps{&destroy_box, nullptr};
};

}  // namespace detail

/// A result that somebody will set: `asyncio.Future`.
///
/// A handle: copies refer to the same future, so a callback can keep one. It belongs to its loop, made by
/// `loop.create_future<T>()`; only the count of its handles may change on other threads, which hand the
/// rest over: `loop.call_soon_threadsafe([future] { future.set_result(1); })`.
///
/// Any number of tasks may await it; all get the same outcome, in the order in which they began to wait.
/// Cancelling a task that awaits it cancels the future, for all of them: `shield()` prevents that.
template <class T = void>
class Future {
  static_assert(!std::is_rvalue_reference_v<T> && !std::is_const_v<T>, "eddy: a future has a value, an lvalue reference or nothing");

 public:
  using value_type = T;

  Future() noexcept = default;
  Future(const Future& other) noexcept : box_(other.box_) { retain(); }
  Future(Future&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
  Future& operator=(Future other) noexcept {
    std::swap(box_, other.box_);
    return *this;
  }
  ~Future() { release(); }

  explicit operator bool() const noexcept { return box_ != nullptr; }
  friend bool operator==(const Future& a, const Future& b) noexcept { return a.box_ == b.box_; }

  bool done() const noexcept { return box_->done(); }
  bool cancelled() const noexcept { return box_->cancelled(); }

  /// Ends it with a value and wakes who waits. Throws InvalidStateError if it is done.
  template <class U = T>
    requires(!std::is_void_v<T>)
  void set_result(U&& value) const {
    if constexpr (!std::is_reference_v<T>) {
      static_assert(std::is_constructible_v<T, U>, "eddy: this is no value for the future: its type is another one");
    }
    box_->throw_if_done("set_result");
    box_->holder.set(static_cast<U&&>(value));
    box_->finish_with_value();
  }
  template <class... None>
    requires(sizeof...(None) == 0 && !std::is_void_v<T>)
  void set_result(None...) const {
    static_assert(detail::kNever<T>, "eddy: this future has a value: set_result(value)");
  }
  template <class U>
    requires std::is_void_v<T>
  void set_result(U&&) const {
    static_assert(detail::kNever<U>, "eddy: a Future<> has no value: set_result()");
  }
  void set_result() const
    requires std::is_void_v<T>
  {
    box_->throw_if_done("set_result");
    box_->finish_with_value();
  }
  /// Ends it with an exception. One that nobody reads is reported when the last handle goes.
  void set_exception(std::exception_ptr error) const {
    box_->throw_if_done("set_exception");
    box_->finish_with_error(std::move(error));
  }
  /// Ends it as cancelled; false if it is done.
  bool cancel() const noexcept { return box_->cancel(nullptr); }
  /// The same with a text for CancelledError::message().
  bool cancel(std::string_view message) const { return detail::cancel_with_message(*box_, message); }

  /// The value; throws its exception, CancelledError, or InvalidStateError while there is none.
  detail::ConstResult<T> result() const {
    box_->throw_unless_done();
    return detail::read_result<T>(*box_, box_->holder);
  }
  /// Its exception, or null. Throws InvalidStateError if it is not done, CancelledError if cancelled.
  std::exception_ptr exception() const { return detail::read_exception(*box_); }

  /// Calls `callback(Future<T>&)` through the loop once the future is done, in order of registration and in
  /// the context of this call.
  template <class F>
  DoneCallbackHandle add_done_callback(F callback) const {
    return detail::add_done_callback<Future>(*box_, std::move(callback));
  }
  /// It will not be called. False if the future is done or it was removed before.
  bool remove_done_callback(const DoneCallbackHandle& callback) const noexcept { return callback.remove(*box_); }

  /// The loop it belongs to. Include eddy/events.hpp.
  EventLoop& get_loop() const noexcept { return detail::loop_of(*box_); }

  auto operator co_await() const& noexcept { return detail::FutureAwaiter<T, FutureBox, false>(box_); }
  auto operator co_await() && noexcept { return detail::FutureAwaiter<T, FutureBox, true>(box_); }

  /// For eddy's own layers.
  detail::FutureCore& core() const noexcept { return *box_; }
  detail::ValueHolder<T>& holder() const noexcept { return box_->holder; }
  static Future make(detail::LoopCore& loop) { return Future(new FutureBox(&loop)); }
  static Future from_core(detail::FutureCore& core) noexcept {
    core.retain();
    return Future(static_cast<FutureBox*>(&core));
  }

 private:
  using FutureBox = detail::FutureBox<T>;
  explicit Future(FutureBox* box) noexcept : box_(box) {}

  void retain() const noexcept {
    if (box_) detail::add_reference(box_->references);
  }
  void release() noexcept {
    if (box_ && detail::drop_reference(box_->references)) box_->destroy();
  }

  FutureBox* box_ = nullptr;
};

/// The end that sets a future's result, for code that must not forget to: if it goes without having done so,
/// who waits for the future gets BrokenPromiseError.
///
///     Promise<int> promise(loop);
///     Future<int> future = promise.get_future();
///     library.fetch([promise = std::move(promise)](int x) { promise.set_result(x); });
template <class T = void>
class Promise {
 public:
  explicit Promise(Future<T> future) noexcept : future_(std::move(future)) {}
  template <class Loop>
    requires requires(Loop& loop) { loop.template create_future<T>(); }
  explicit Promise(Loop& loop) : future_(loop.template create_future<T>()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    std::swap(future_, other.future_);
    return *this;
  }
  ~Promise() {
    if (future_ && !future_.done()) detail::break_promise(future_.core());
  }

  const Future<T>& get_future() const noexcept { return future_; }

  template <class... U>
  void set_result(U&&... value) const {
    future_.set_result(static_cast<U&&>(value)...);
  }
  void set_exception(std::exception_ptr error) const { future_.set_exception(std::move(error)); }

 private:
  Future<T> future_;
};

}  // namespace eddy

// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/task_core.hpp>
#include <eddy/detail/future_await.hpp>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy {

namespace detail {

template <class T>
struct FutureBox final : FutureCore, Pooled {
  using Value = Stored<T>;
  explicit FutureBox(LoopCore* owner) noexcept : FutureCore(owner, &kOps) {}
  ValueHolder<T> holder;

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
    box_->throw_if_done("set_result");
    box_->holder.set(static_cast<U&&>(value));
    box_->finish_with_value();
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

  /// Calls `callback(Future<T>&)` through the loop once the future is done, in order of registration.
  template <class F>
  void add_done_callback(F callback) const {
    detail::add_done_callback<Future>(*box_, std::move(callback));
  }

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
    if (box_) __atomic_add_fetch(&box_->references, 1, __ATOMIC_RELAXED);
  }
  void release() noexcept {
    if (box_ && __atomic_sub_fetch(&box_->references, 1, __ATOMIC_ACQ_REL) == 0) box_->destroy();
  }

  FutureBox* box_ = nullptr;
};

}  // namespace eddy

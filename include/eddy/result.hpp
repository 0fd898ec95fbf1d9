// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/result_slot.hpp>
#include <exception>
#include <utility>

namespace eddy {

/// A value or the exception that came instead: what `gather(return_exceptions, …)` gives for each of its
/// arguments. A CancelledError counts as an exception.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) { slot_.set_value(std::move(value)); }
  explicit Result(std::exception_ptr error) noexcept : error_(std::move(error)) {}
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : error_(std::move(other.error_)) {
    if (other.has_value()) slot_.set_value(std::move(other.slot_.value()));
  }
  Result(const Result& other) : error_(other.error_) {
    if (other.has_value()) slot_.set_value(other.slot_.value());
  }
  Result& operator=(Result other) noexcept {
    error_ = std::move(other.error_);
    if (other.has_value()) slot_.set_value(std::move(other.slot_.value()));
    else slot_.~Slot(), ::new (static_cast<void*>(&slot_)) Slot();
    return *this;
  }

  bool has_value() const noexcept { return slot_.outcome == detail::Outcome::value; }
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; throws the exception if there is none.
  T& value() & { return check(), slot_.value(); }
  const T& value() const& { return check(), slot_.value(); }
  T&& value() && { return check(), std::move(slot_.value()); }
  T* operator->() { return &value(); }
  T& operator*() & { return value(); }

  /// The exception, or null.
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  using Slot = detail::ResultSlot<T>;
  void check() const {
    if (!has_value()) std::rethrow_exception(error_);
  }

  mutable Slot slot_;
  std::exception_ptr error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() noexcept = default;
  explicit Result(std::exception_ptr error) noexcept : error_(std::move(error)) {}

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (error_) std::rethrow_exception(error_);
  }
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  std::exception_ptr error_;
};

}  // namespace eddy

// SPDX-License-Identifier: MIT
// A value or an exception, in place (for coro.hpp and future.hpp).
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace eddy::detail {

enum class Outcome : std::uint8_t { none, value, error, cancelled };

/// Whether the exception being handled is a CancelledError: a look at its type, no rethrow.
bool current_exception_is_cancelled() noexcept;

[[noreturn]] void throw_no_result();

/// References are kept as pointers.
template <class T>
using Stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, T>;

template <class T>
class ResultSlot {
 public:
  ResultSlot() noexcept {}
  ResultSlot(const ResultSlot&) = delete;
  ResultSlot& operator=(const ResultSlot&) = delete;
  ~ResultSlot() { clear(); }

  Outcome outcome() const noexcept { return outcome_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  Stored<T>& value() noexcept { return value_; }

  /// A second time only if a local's destructor threw behind a co_return, and that was caught.
  template <class U>
  void set_value(U&& value) {
    if constexpr (!std::is_trivially_destructible_v<Stored<T>>) clear();
    if constexpr (std::is_reference_v<T>) ::new (static_cast<void*>(&value_)) Stored<T>(__builtin_addressof(value));
    else ::new (static_cast<void*>(&value_)) T(static_cast<U&&>(value));
    outcome_ = Outcome::value;
  }
  void set_current_exception() noexcept {
    clear();
    outcome_ = current_exception_is_cancelled() ? Outcome::cancelled : Outcome::error;
    ::new (static_cast<void*>(&error_)) std::exception_ptr(std::current_exception());
  }

  /// Moves the value out, or throws.
  T take() {
    if (outcome_ != Outcome::value) [[unlikely]] rethrow();
    if constexpr (std::is_reference_v<T>) return static_cast<T>(*value_);
    else return static_cast<T&&>(value_);
  }
  [[noreturn, gnu::always_inline]] inline void rethrow() {
    if (outcome_ == Outcome::none) throw_no_result();
    std::rethrow_exception(error_);
  }

 private:
  void clear() noexcept {
    if (outcome_ == Outcome::value) value_.~Stored<T>();
    else if (outcome_ != Outcome::none) error_.~exception_ptr();
    outcome_ = Outcome::none;
  }

  union {
    Stored<T> value_;
    std::exception_ptr error_;
  };
  Outcome outcome_ = Outcome::none;
};

template <>
class ResultSlot<void> {
 public:
  Outcome outcome() const noexcept { return outcome_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  void set_value() noexcept { outcome_ = Outcome::value; }
  void set_current_exception() noexcept {
    outcome_ = current_exception_is_cancelled() ? Outcome::cancelled : Outcome::error;
    error_ = std::current_exception();
  }
  void take() {
    if (outcome_ != Outcome::value) [[unlikely]] rethrow();
  }
  [[noreturn, gnu::always_inline]] inline void rethrow() {
    if (outcome_ == Outcome::none) throw_no_result();
    std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
  Outcome outcome_ = Outcome::none;
};

}  // namespace eddy::detail

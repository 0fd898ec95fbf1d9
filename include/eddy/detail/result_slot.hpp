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

struct OwnOutcome {
  Outcome outcome = Outcome::none;
};

/// `Base` says where the outcome is: beside the value, or among what a coroutine's frame has anyway.
template <class T, class Base = OwnOutcome>
class ResultSlot : public Base {
 public:
  ResultSlot() noexcept {}
  ResultSlot(const ResultSlot&) = delete;
  ResultSlot& operator=(const ResultSlot&) = delete;
  ~ResultSlot() { destroy(); }

  const std::exception_ptr& error() const noexcept { return error_; }
  Stored<T>& value() noexcept { return value_; }

  /// A second time only if a local's destructor threw behind a co_return, and that was caught.
  template <class U>
  void set_value(U&& value) {
    if constexpr (!std::is_trivially_destructible_v<Stored<T>>) clear();
    if constexpr (std::is_reference_v<T>) ::new (static_cast<void*>(&value_)) Stored<T>(__builtin_addressof(value));
    else ::new (static_cast<void*>(&value_)) T(static_cast<U&&>(value));
    this->outcome = Outcome::value;
  }
  void set_current_exception() noexcept {
    clear();
    this->outcome = current_exception_is_cancelled() ? Outcome::cancelled : Outcome::error;
    ::new (static_cast<void*>(&error_)) std::exception_ptr(std::current_exception());
  }

  /// Moves the value out, or throws.
  T take() {
    if (this->outcome != Outcome::value) [[unlikely]] rethrow();
    if constexpr (std::is_reference_v<T>) return static_cast<T>(*value_);
    else return static_cast<T&&>(value_);
  }
  [[noreturn, gnu::always_inline]] inline void rethrow() {
    if (this->outcome == Outcome::none) throw_no_result();
    std::rethrow_exception(error_);
  }

 private:
  void destroy() noexcept {
    if (this->outcome == Outcome::value) value_.~Stored<T>();
    else if (this->outcome > Outcome::value) error_.~exception_ptr();
  }
  void clear() noexcept {
    destroy();
    this->outcome = Outcome::none;
  }

  union {
    Stored<T> value_;
    std::exception_ptr error_;
  };
};

template <class Base>
class ResultSlot<void, Base> : public Base {
 public:
  const std::exception_ptr& error() const noexcept { return error_; }
  void set_value() noexcept { this->outcome = Outcome::value; }
  void set_current_exception() noexcept {
    this->outcome = current_exception_is_cancelled() ? Outcome::cancelled : Outcome::error;
    error_ = std::current_exception();
  }
  void take() {
    if (this->outcome != Outcome::value) [[unlikely]] rethrow();
  }
  [[noreturn, gnu::always_inline]] inline void rethrow() {
    if (this->outcome == Outcome::none) throw_no_result();
    std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

}  // namespace eddy::detail

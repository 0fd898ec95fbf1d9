// SPDX-License-Identifier: MIT
// CancelledError alone: the one exception that every header of tasks needs (for exceptions.hpp, future.hpp).
#pragma once

#include <exception>

namespace eddy {

/// Root of what `catch (const std::exception&)` must not swallow.
class BaseException {};

/// Thrown at the innermost await of a task that was cancelled.
///
/// Not a std::exception: code that catches "every error" cannot swallow a cancellation by accident.
/// Clean up, then rethrow it; a task that swallows it goes on as if nothing had been asked.
class CancelledError : public BaseException {
 public:
  CancelledError() noexcept = default;
  explicit CancelledError(std::exception_ptr message) noexcept : message_(static_cast<std::exception_ptr&&>(message)) {}

  /// What was given to `cancel(message)`, or "".
  const char* message() const noexcept;

 private:
  std::exception_ptr message_;  // a std::runtime_error: a string with a shared, atomic count
};

}  // namespace eddy

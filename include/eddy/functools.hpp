// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy {

/// A function with another one around it: Python's decorator with functools.wraps. Made by wrap().
template <class F, class Around>
class Wrapped {
 public:
  Wrapped(F function, Around around, std::string_view name)
      : function_(std::move(function)), around_(std::move(around)), name_(name) {}

  template <class... Args>
  decltype(auto) operator()(Args&&... args) {
    return around_(*this, std::forward<Args>(args)...);
  }
  /// The function as it was: Python's `__wrapped__`.
  F& wrapped() noexcept { return function_; }
  const F& wrapped() const noexcept { return function_; }
  /// The name that was given to wrap(): Python's `__name__`.
  std::string_view name() const noexcept { return name_; }

 private:
  F function_;
  Around around_;
  std::string_view name_;
};

/// `around(wrapped, arguments…)` in place of `function(arguments…)`; it may call
/// `wrapped.wrapped()(arguments…)`, a coroutine function for one, and ask for its name. `name` is kept as a
/// view.
template <class F, class Around>
auto wrap(F function, Around around, std::string_view name = {}) {
  return Wrapped<F, Around>(std::move(function), std::move(around), name);
}

}  // namespace eddy

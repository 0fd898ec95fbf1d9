// SPDX-License-Identifier: MIT
// Text for people: what waits describe themselves with, and how times look.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace eddy::detail {

/// A string that descriptions append to.
class Text {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  const std::string& str() const noexcept { return text_; }

 private:
  std::string text_;
};

/// "5s", "1.5s", "250ms", "10us": the shortest exact form down to nanoseconds.
std::string format_duration(std::int64_t nanoseconds);

/// The last part of a path, for reports.
std::string_view file_name(std::string_view path) noexcept;

}  // namespace eddy::detail

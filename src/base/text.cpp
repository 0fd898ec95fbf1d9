// SPDX-License-Identifier: MIT
#include "base/text.hpp"

#include <eddy/clock.hpp>
#include <eddy/exceptions.hpp>

namespace eddy::detail {

std::string format_duration(std::int64_t nanoseconds) {
  struct Unit {
    std::int64_t length;
    const char* name;
  };
  for (auto [length, name] : {Unit{1'000'000'000, "s"}, Unit{1'000'000, "ms"}, Unit{1'000, "us"}}) {
    if (nanoseconds >= length || nanoseconds <= -length) {
      return fmt::format("{}{}", static_cast<double>(nanoseconds) / static_cast<double>(length), name);
    }
  }
  return nanoseconds == 0 ? "0s" : fmt::format("{}ns", nanoseconds);
}

std::string_view file_name(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void throw_not_a_duration() { throw ValueError("a duration cannot be NaN"); }

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Dates in header fields (RFC 9110 5.6.7).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace eddy::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT". Years outside 0 … 9999 are clamped.
std::string format_date(std::chrono::sys_seconds time);

/// Reads the form above and the two old ones: "Sunday, 06-Nov-94 08:49:37 GMT" and
/// "Sun Nov  6 08:49:37 1994". The day of the week is not checked; a year of two digits is the one nearest
/// to 1970 … 2069. Nothing if the text is no date or the date does not exist.
std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) noexcept;

/// The `Date` field of responses, made once a second.
class DateField {
 public:
  /// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" for the time given; valid until the next call.
  std::string_view at(std::chrono::sys_seconds now) {
    if (now != shown_) refresh(now);
    return text_;
  }

 private:
  void refresh(std::chrono::sys_seconds now);

  std::chrono::sys_seconds shown_ = std::chrono::sys_seconds::min();
  std::string text_;
};

}  // namespace eddy::http

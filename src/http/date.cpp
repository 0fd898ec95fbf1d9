// SPDX-License-Identifier: MIT
#include <eddy/http/date.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "http/ascii.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono;

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Parts {
  int year = -1;
  unsigned month = 0, day = 0;
  int hour = -1, minute = -1, second = -1;
};

std::optional<int> number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 4) return std::nullopt;
  int value = 0;
  for (char c : text) {
    if (!ascii::is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<unsigned> month_of(std::string_view text) noexcept {
  for (unsigned i = 0; i < 12; ++i)
    if (ascii::equal_ignoring_case(text.substr(0, 3), kMonths[i])) return i + 1;
  return std::nullopt;
}

bool read_time(std::string_view text, Parts& parts) noexcept {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return false;
  parts.hour = number(text.substr(0, 2)).value_or(-1);
  parts.minute = number(text.substr(3, 2)).value_or(-1);
  parts.second = number(text.substr(6, 2)).value_or(-1);
  return parts.hour >= 0 && parts.hour < 24 && parts.minute >= 0 && parts.minute < 60 && parts.second >= 0 &&
         parts.second <= 60;  // 60: a leap second
}

int full_year(int year, std::size_t digits) noexcept {
  if (digits > 2) return year;
  return year < 70 ? 2000 + year : 1900 + year;
}

}  // namespace

std::string format_date(sys_seconds time) {
  const sys_seconds first = sys_days(year(0) / 1 / 1), last = sys_days(year(10000) / 1 / 1) - seconds(1);
  time = std::clamp(time, first, last);
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const hh_mm_ss clock(time - midnight);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(midnight).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::optional<sys_seconds> parse_date(std::string_view text) noexcept {
  // Words, divided by spaces, commas and the dashes of the second form:
  // Sun 06 Nov 1994 08:49:37 GMT | Sunday 06 Nov 94 08:49:37 GMT | Sun Nov 6 08:49:37 1994
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = text.find_first_not_of(" ,-", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" ,-", begin), text.size());
    if (count == words.size()) return std::nullopt;
    words[count++] = text.substr(begin, at - begin);
  }
  if (count < 5) return std::nullopt;
  const bool is_asctime = !ascii::is_digit(words[1].front());
  if (!is_asctime && (count != 6 || (words[5] != "GMT" && words[5] != "UTC"))) return std::nullopt;
  if (is_asctime && count != 5) return std::nullopt;

  const auto day = number(words[is_asctime ? 2 : 1]);
  const auto month = month_of(words[is_asctime ? 1 : 2]);
  const auto year_text = words[is_asctime ? 4 : 3];
  const auto year_number = number(year_text);
  Parts parts;
  if (!day || !month || !year_number || year_text.size() == 3 || !read_time(words[is_asctime ? 3 : 4], parts))
    return std::nullopt;
  const year_month_day date(year(full_year(*year_number, year_text.size())), std::chrono::month(*month),
                            std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(parts.hour) + minutes(parts.minute) + seconds(parts.second);
}

void DateField::refresh(sys_seconds now) {
  text_ = "Date: ";
  text_ += format_date(now);
  text_ += "\r\n";
  shown_ = now;
}

}  // namespace eddy::http

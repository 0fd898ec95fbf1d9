// SPDX-License-Identifier: MIT
#include <eddy/http/cookies.hpp>

#include <eddy/http/date.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono;

constexpr std::size_t kLargestCookie = 4096;    // name and value together
constexpr std::size_t kLargestAttribute = 1024;

// The RFC's own date grammar: four tokens in any order, among rubbish.
std::optional<sys_seconds> cookie_date(std::string_view text) noexcept {
  const auto is_delimiter = [](char c) {
    return !ascii::is_alnum(c) && c != ':' && static_cast<unsigned char>(c) < 0x80;
  };
  constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  int day_number = -1, month_number = -1, year_number = -1, clock[3] = {-1, -1, -1};
  // Reads the digits at the front of `token`; -1 unless there are at least `least` and at most `most`.
  const auto digits = [](std::string_view& token, std::size_t least, std::size_t most) {
    int value = 0;
    std::size_t n = 0;
    for (; n < token.size() && ascii::is_digit(token[n]); ++n)
      if (n < most) value = value * 10 + (token[n] - '0');
    token.remove_prefix(n);
    return n >= least && n <= most ? value : -1;
  };
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && !is_delimiter(text[end])) ++end;
    auto token = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (token.empty()) continue;
    auto rest = token;
    if (clock[0] < 0 && token.find(':') != std::string_view::npos) {
      int parts[3];
      bool good = true;
      for (int i = 0; i < 3 && good; ++i) {
        parts[i] = digits(rest, 1, 2);
        good = parts[i] >= 0 && (i == 2 || rest.starts_with(':'));
        if (i < 2 && good) rest.remove_prefix(1);
      }
      if (good) std::copy(parts, parts + 3, clock);
      continue;
    }
    if (const int value = digits(rest, 1, 2); day_number < 0 && value >= 0) {
      day_number = value;
      continue;
    }
    if (month_number < 0 && token.size() >= 3) {
      const auto at = kMonths.find(ascii::lowered(token.substr(0, 3)));
      if (at != std::string_view::npos && at % 3 == 0) {
        month_number = static_cast<int>(at / 3) + 1;
        continue;
      }
    }
    rest = token;
    if (const int value = digits(rest, 2, 4); year_number < 0 && value >= 0) year_number = value;
  }
  if (year_number >= 0 && year_number < 70) year_number += 2000;
  else if (year_number >= 70 && year_number < 100) year_number += 1900;
  if (day_number < 1 || month_number < 0 || year_number < 1601 || clock[0] < 0 || clock[0] > 23 ||
      clock[1] > 59 || clock[2] > 59)
    return std::nullopt;
  const year_month_day date(year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number)));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(clock[0]) + minutes(clock[1]) + seconds(clock[2]);
}

std::optional<seconds> cookie_age(std::string_view text) noexcept {
  const bool negative = text.starts_with('-');
  const auto digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), ascii::is_digit)) return std::nullopt;
  constexpr std::int64_t kLongest = 400LL * 24 * 3600;  // as browsers cap it
  std::int64_t value = 0;
  for (char c : digits) value = std::min(kLongest, value * 10 + (c - '0'));
  return seconds(negative ? -1 : value);
}

void take_attribute(Cookie& cookie, std::string_view name, std::string_view value) {
  const auto is = [name](std::string_view known) { return ascii::equal_ignoring_case(name, known); };
  if (value.size() > kLargestAttribute) return;
  if (is("expires")) {
    if (const auto date = cookie_date(value)) cookie.expires = date;
  } else if (is("max-age")) {
    if (const auto age = cookie_age(value)) cookie.max_age = age;
  } else if (is("domain")) {
    if (value.starts_with('.')) value.remove_prefix(1);
    cookie.domain = ascii::lowered(value);
  } else if (is("path")) {
    cookie.path = value.starts_with('/') ? value : std::string_view();
  } else if (is("secure")) {
    cookie.secure = true;
  } else if (is("httponly")) {
    cookie.http_only = true;
  } else if (is("samesite")) {
    cookie.same_site = ascii::equal_ignoring_case(value, "none")     ? SameSite::none
                       : ascii::equal_ignoring_case(value, "lax")    ? SameSite::lax
                       : ascii::equal_ignoring_case(value, "strict") ? SameSite::strict
                                                                     : SameSite::unset;
  }
}

void check_part(std::string_view what, const Cookie& cookie, std::string_view text,
                std::string_view forbidden) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte > 0x1f && byte < 0x7f && forbidden.find(text[i]) == std::string_view::npos) continue;
    throw ValueError(
        byte > 0x20 && byte < 0x7f
            ? fmt::format("cookie {} of '{}' holds '{}' at byte {}", what, cookie.name, text[i], i)
            : fmt::format("cookie {} of '{}' holds '\\x{:02x}' at byte {}", what, cookie.name, byte, i));
  }
}

}  // namespace

std::optional<Cookie> parse_set_cookie(std::string_view field) {
  for (char c : field)
    if (!scan::is(scan::kValue, c)) return std::nullopt;
  auto pair = ascii::take_until(field, ';');
  const auto equals = pair.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  Cookie cookie{std::string(ascii::trimmed(pair.substr(0, equals))),
                std::string(ascii::trimmed(pair.substr(equals + 1)))};
  if (cookie.name.empty() || cookie.name.size() + cookie.value.size() > kLargestCookie) return std::nullopt;
  while (!field.empty()) {
    auto attribute = ascii::take_until(field, ';');
    const auto name = ascii::take_until(attribute, '=');
    take_attribute(cookie, name, ascii::trimmed(attribute));
  }
  return cookie;
}

std::string write_set_cookie(const Cookie& cookie) {
  const char* name_end = cookie.name.data() + cookie.name.size();
  if (cookie.name.empty() || scan::past_token(cookie.name.data(), name_end) != name_end)
    throw ValueError(fmt::format("cookie name '{}' is not a token", cookie.name));
  check_part("value", cookie, cookie.value, " \",;\\");
  check_part("domain", cookie, cookie.domain, " ;,=");
  check_part("path", cookie, cookie.path, ";");
  std::string text = cookie.name + "=" + cookie.value;
  if (!cookie.domain.empty()) text += "; Domain=" + cookie.domain;
  if (!cookie.path.empty()) text += "; Path=" + cookie.path;
  if (cookie.expires) text += "; Expires=" + format_date(*cookie.expires);
  if (cookie.max_age) text += fmt::format("; Max-Age={}", cookie.max_age->count());
  if (cookie.secure) text += "; Secure";
  if (cookie.http_only) text += "; HttpOnly";
  constexpr std::string_view kSameSite[] = {"", "; SameSite=None", "; SameSite=Lax", "; SameSite=Strict"};
  text += kSameSite[static_cast<std::size_t>(cookie.same_site)];
  return text;
}

std::vector<std::pair<std::string_view, std::string_view>> parse_cookies(std::string_view field) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  while (!field.empty()) {
    const auto pair = ascii::take_until(field, ';');
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    auto value = ascii::trimmed(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    pairs.emplace_back(ascii::trimmed(pair.substr(0, equals)), value);
  }
  return pairs;
}

}  // namespace eddy::http

// SPDX-License-Identifier: MIT
// Letters of the wire: locale-free tests and comparisons of ASCII text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace eddy::http::ascii {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || is_upper(c); }
constexpr bool is_alnum(char c) noexcept { return is_alpha(c) || is_digit(c); }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
constexpr char lower(char c) noexcept { return is_upper(c) ? static_cast<char>(c | 0x20) : c; }

/// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  return true;
}

/// Whether a token, which has no control characters, is `word`, ignoring case: 4 to 24 lower-case letters and '-'.
/// Of those, each has one other byte that an added 0x20 makes the same: its capital, or a control character.
template <std::size_t N>
bool is_word(std::string_view token, const char (&word)[N]) noexcept {
  constexpr std::size_t kSize = N - 1;
  static_assert(kSize >= 4 && kSize <= 24);
  const auto same = [&]<class Bytes>(Bytes, std::size_t at) {
    Bytes a{}, b{};
    std::memcpy(&a, token.data() + at, sizeof a);
    std::memcpy(&b, word + at, sizeof b);
    return (a | static_cast<Bytes>(0x2020202020202020)) == b;
  };
  if (token.size() != kSize) return false;
  if constexpr (kSize < 8) return same(std::uint32_t{}, 0) && same(std::uint32_t{}, kSize - 4);
  else return same(std::uint64_t{}, 0) && (kSize <= 16 || same(std::uint64_t{}, 8)) && same(std::uint64_t{}, kSize - 8);
}

/// `text` without spaces and tabs at its ends.
constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

inline std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

/// Takes the text up to `separator` (or all of it) off the front of `rest`, trimmed.
constexpr std::string_view take_until(std::string_view& rest, char separator) noexcept {
  const auto at = rest.find(separator);
  const auto piece = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return trimmed(piece);
}

}  // namespace eddy::http::ascii

// SPDX-License-Identifier: MIT
// The percent-encode sets of the WHATWG URL Standard, 1.3.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace eddy::http::percent {

using Set = std::array<bool, 256>;

constexpr Set with(Set set, std::string_view more) {
  for (char c : more) set[static_cast<unsigned char>(c)] = true;
  return set;
}

inline constexpr Set kControl = [] {
  Set set{};
  for (unsigned c = 0; c < 256; ++c) set[c] = c < 0x20 || c > 0x7e;
  return set;
}();
inline constexpr Set kFragment = with(kControl, " \"<>`");
inline constexpr Set kQuery = with(kControl, " \"#<>");
inline constexpr Set kSpecialQuery = with(kQuery, "'");
inline constexpr Set kPath = with(kQuery, "?^`{}");
inline constexpr Set kUserinfo = with(kPath, "/:;=@[\\]|");
inline constexpr Set kComponent = with(kUserinfo, "$%&+,");
inline constexpr Set kForm = with(kComponent, "!'()~");

inline void append_byte(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  const char encoded[3] = {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  out.append(encoded, 3);
}

inline void append(std::string& out, std::string_view text, const Set& set) {
  for (char c : text) {
    if (set[static_cast<unsigned char>(c)]) append_byte(out, c);
    else out += c;
  }
}

}  // namespace eddy::http::percent

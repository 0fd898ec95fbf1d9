// SPDX-License-Identifier: MIT
// What many places ask of the bytes of UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace eddy::detail {

/// Whether a character does not begin with this byte.
constexpr bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// How many bytes from `from` on are ASCII, without a gap.
inline std::size_t ascii_run(std::string_view bytes, std::size_t from = 0) noexcept {
  auto at = from;
  for (std::uint64_t word; at + 8 <= bytes.size(); at += 8) {
    std::memcpy(&word, bytes.data() + at, 8);
    if (word & 0x8080808080808080) break;
  }
  while (at < bytes.size() && static_cast<unsigned char>(bytes[at]) < 0x80) ++at;
  return at - from;
}

}  // namespace eddy::detail

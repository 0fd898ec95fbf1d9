// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>

namespace eddy::http::detail {

/// The number behind "Content-Length: ", its CR LF, and the head's own if nothing is to come.
inline void append_length(std::string& out, std::uint64_t length, bool ends_head) {
  char text[24];
  char* end = std::to_chars(text, text + 20, length).ptr;
  std::memcpy(end, "\r\n\r\n", 4);
  end += ends_head ? 4 : 2;
  out.append(text, static_cast<std::size_t>(end - text));
}

}  // namespace eddy::http::detail

// SPDX-License-Identifier: MIT
// What the charset sources share: the list of charsets, and one decode step and one encode step per kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace eddy::charset {

enum class Kind {
  utf8,
  utf16,  // byte order by the mark, little endian without one
  utf16le,
  utf16be,
  single_byte,  // 256 entries
  windows,      // single_byte whose holes in 0x80–0x9F are the C1 controls, as in the Encoding Standard
  double_byte,  // one or two bytes
  euc_jp,       // one or two bytes, or three after 0x8F
  gb18030,      // one, two or four bytes
};

struct Charset {
  std::string_view name;  // canonical, lower case
  Kind kind;
  const char* iconv_name;   // what glibc calls it; null for the Unicode kinds
  std::string_view labels;  // separated by blanks, lower case, '-' for '_'
};

/// Null if no charset has the label.
const Charset* find_charset(std::string_view label) noexcept;

/// Where decoding stopped: `length` bytes at `offset` make no character. A length of 0: the input is used up.
struct Fault {
  std::size_t offset = 0;
  std::size_t length = 0;
  const char* reason = "";
};

// Each decoder works from `from` to the end or the first fault, appending UTF-8 to `out`.

// charset_unicode.cpp
Fault decode_utf8(std::string_view bytes, std::size_t from, std::string& out);
Fault decode_utf16(std::string_view bytes, std::size_t from, bool big_endian, std::string& out);
void append_utf8(std::string& out, char32_t character);
/// The character at `at` of valid UTF-8; moves `at` past it.
char32_t next_utf8(std::string_view utf8, std::size_t& at) noexcept;

// charset_tables.cpp
class Table;
/// Null for the Unicode kinds. Lives for ever; safe to ask for from any thread.
const Table* table_of(const Charset& charset);
Fault decode_table(const Table& table, std::string_view bytes, std::size_t from, std::string& out);
/// Appends the bytes of one character; false if the charset does not have it.
bool encode_table(const Table& table, char32_t character, std::string& out);

}  // namespace eddy::charset

// SPDX-License-Identifier: MIT
// UTF-8 and UTF-16, with faults as long as CPython's: a damaged UTF-8 sequence is its maximal subpart
// (Unicode Standard, 3.9, U+FFFD Substitution of Maximal Subparts), a damaged UTF-16 unit is two bytes.
#include <base/charset_codec.hpp>
#include <base/utf8.hpp>

namespace eddy::charset {
namespace {

using Byte = unsigned char;

using detail::ascii_run;
using detail::is_continuation;

// Bytes of the sequence that `lead` starts; 0 if none can start with it.
constexpr std::size_t sequence_length(Byte lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// E0, ED, F0 and F4 narrow the range of the byte after them: no overlong forms, surrogates or 0x110000.
constexpr bool second_byte_fits(Byte lead, Byte second) noexcept {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return is_continuation(static_cast<char>(second));
  }
}

// The sequence at `at`: its length in `length`, or a fault.
Fault check_sequence(std::string_view bytes, std::size_t at, std::size_t& length) noexcept {
  const auto lead = static_cast<Byte>(bytes[at]);
  length = sequence_length(lead);
  if (length == 0) return {at, 1, "invalid start byte"};
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i == bytes.size()) return {at, i, "unexpected end of data"};
    const char b = bytes[at + i];
    if (i == 1 ? !second_byte_fits(lead, static_cast<Byte>(b)) : !is_continuation(b))
      return {at, i, "invalid continuation byte"};
  }
  return {};
}

}  // namespace

Fault decode_utf8(std::string_view bytes, std::size_t from, std::string& out) {
  auto at = from;
  Fault fault;
  while (at < bytes.size()) {
    at += ascii_run(bytes, at);
    if (at == bytes.size()) break;
    std::size_t length = 0;
    fault = check_sequence(bytes, at, length);
    if (fault.length != 0) break;
    at += length;
  }
  out.append(bytes, from, at - from);
  return fault;
}

Fault decode_utf16(std::string_view bytes, std::size_t from, bool big_endian, std::string& out) {
  const auto unit_at = [&](std::size_t i) {
    const auto a = static_cast<Byte>(bytes[i]), b = static_cast<Byte>(bytes[i + 1]);
    return static_cast<char32_t>(big_endian ? a << 8 | b : b << 8 | a);
  };
  for (auto at = from; at < bytes.size(); at += 2) {
    const auto left = bytes.size() - at;
    if (left < 2) return {at, left, "truncated data"};
    const auto unit = unit_at(at);
    if (unit < 0xD800 || unit > 0xDFFF) {
      append_utf8(out, unit);
      continue;
    }
    if (unit >= 0xDC00) return {at, 2, "illegal encoding"};
    if (left < 4) return {at, left, "unexpected end of data"};
    const auto low = unit_at(at + 2);
    if (low < 0xDC00 || low > 0xDFFF) return {at, 2, "illegal UTF-16 surrogate"};
    append_utf8(out, 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)));
    at += 2;
  }
  return {};
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

char32_t next_utf8(std::string_view utf8, std::size_t& at) noexcept {
  const auto lead = static_cast<Byte>(utf8[at]);
  const auto length = sequence_length(lead);
  char32_t c = length == 1 ? lead : lead & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) c = c << 6 | (static_cast<Byte>(utf8[at + i]) & 0x3F);
  at += length;
  return c;
}

}  // namespace eddy::charset

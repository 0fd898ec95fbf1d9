// SPDX-License-Identifier: MIT
#include <eddy/charset.hpp>

#include <base/charset_codec.hpp>
#include <fmt/format.h>

namespace eddy {
namespace {

using charset::Charset;
using charset::Fault;
using charset::Kind;

const Charset& require_charset(std::string_view label) {
  const auto* found = charset::find_charset(label);
  if (found == nullptr) throw UnknownCharsetError(label);
  return *found;
}

// One charset, ready to decode. UTF-16 without a stated order takes it from the mark, which it skips.
class Decoder {
 public:
  Decoder(const Charset& charset, std::string_view bytes)
      : charset_(charset), table_(charset::table_of(charset)) {
    if (charset.kind != Kind::utf16) return;
    const auto mark = bytes.substr(0, 2);
    big_endian_ = mark == "\xFE\xFF";
    if (big_endian_ || mark == "\xFF\xFE") start_ = 2;
  }

  std::size_t start() const noexcept { return start_; }

  Fault run(std::string_view bytes, std::size_t from, std::string& out) const {
    switch (charset_.kind) {
      case Kind::utf8:
        return charset::decode_utf8(bytes, from, out);
      case Kind::utf16:
        return charset::decode_utf16(bytes, from, big_endian_, out);
      case Kind::utf16le:
        return charset::decode_utf16(bytes, from, false, out);
      case Kind::utf16be:
        return charset::decode_utf16(bytes, from, true, out);
      default:
        return charset::decode_table(*table_, bytes, from, out);
    }
  }

 private:
  const Charset& charset_;
  const charset::Table* table_;
  std::size_t start_ = 0;
  bool big_endian_ = false;
};

void append_utf16(char32_t c, bool big_endian, std::string& out) {
  const auto put = [&](char32_t unit) {
    const auto high = static_cast<char>(unit >> 8), low = static_cast<char>(unit & 0xFF);
    out += big_endian ? high : low;
    out += big_endian ? low : high;
  };
  if (c >= 0x10000) put(0xD800 + ((c - 0x10000) >> 10));
  put(c >= 0x10000 ? 0xDC00 + (c & 0x3FF) : c);
}

bool encode_character(const Charset& charset, const charset::Table* table, char32_t c, std::string& out) {
  switch (charset.kind) {
    case Kind::utf8:
      charset::append_utf8(out, c);
      return true;
    case Kind::utf16:
    case Kind::utf16le:
      append_utf16(c, false, out);
      return true;
    case Kind::utf16be:
      append_utf16(c, true, out);
      return true;
    default:
      return charset::encode_table(*table, c, out);
  }
}

const char* reason_no_encoding(Kind kind) noexcept {
  return kind == Kind::single_byte || kind == Kind::windows ? "character maps to <undefined>"
                                                            : "illegal multibyte sequence";
}

std::string decode_text(std::string_view name, std::size_t offset, std::string_view bytes,
                        std::string_view reason) {
  if (bytes.size() == 1) {
    return fmt::format("'{}' codec can't decode byte {:#04x} in position {}: {}", name,
                       static_cast<unsigned char>(bytes[0]), offset, reason);
  }
  return fmt::format("'{}' codec can't decode bytes in position {}-{}: {}", name, offset,
                     offset + bytes.size() - 1, reason);
}

// The character as Python's repr writes it in this message.
std::string escaped(char32_t c) {
  const auto value = static_cast<std::uint32_t>(c);
  if (value < 0x100) return fmt::format("\\x{:02x}", value);
  return value < 0x10000 ? fmt::format("\\u{:04x}", value) : fmt::format("\\U{:08x}", value);
}

}  // namespace

UnknownCharsetError::UnknownCharsetError(std::string_view label)
    : LookupError(fmt::format("unknown charset '{}'", label)), label_(label) {}

UnicodeDecodeError::UnicodeDecodeError(std::string_view charset, std::size_t offset, std::string_view bytes,
                                       std::string_view reason)
    : UnicodeError(decode_text(charset, offset, bytes, reason), charset, offset, reason), bytes_(bytes) {}

UnicodeEncodeError::UnicodeEncodeError(std::string_view charset, std::size_t offset, std::size_t position,
                                       char32_t character, std::string_view reason)
    : UnicodeError(fmt::format("'{}' codec can't encode character '{}' in position {}: {}", charset,
                               escaped(character), position, reason),
                   charset, offset, reason),
      position_(position),
      character_(character) {}

std::string decode(std::string_view bytes, std::string_view label, OnError on_error) {
  const auto& charset = require_charset(label);
  const Decoder decoder(charset, bytes);
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 2);
  for (auto at = decoder.start(); at < bytes.size();) {
    const auto fault = decoder.run(bytes, at, text);
    if (fault.length == 0) break;
    if (on_error == OnError::strict) {
      throw UnicodeDecodeError(charset.name, fault.offset, bytes.substr(fault.offset, fault.length),
                               fault.reason);
    }
    if (on_error == OnError::replace) text += "\uFFFD";
    at = fault.offset + fault.length;
  }
  return text;
}

std::string encode(std::string_view utf8, std::string_view label, OnError on_error) {
  const auto& charset = require_charset(label);
  const auto* table = charset::table_of(charset);
  std::string valid;
  const auto fault = charset::decode_utf8(utf8, 0, valid);
  if (fault.length != 0) {
    if (on_error == OnError::strict) {
      throw UnicodeDecodeError("utf-8", fault.offset, utf8.substr(fault.offset, fault.length), fault.reason);
    }
    valid = decode(utf8, "utf-8", on_error);
  }
  std::string bytes;
  bytes.reserve(valid.size());
  if (charset.kind == Kind::utf16) append_utf16(0xFEFF, false, bytes);
  for (std::size_t at = 0, position = 0; at < valid.size(); ++position) {
    const auto offset = at;
    const auto c = charset::next_utf8(valid, at);
    if (encode_character(charset, table, c, bytes)) continue;
    if (on_error == OnError::strict) {
      throw UnicodeEncodeError(charset.name, offset, position, c, reason_no_encoding(charset.kind));
    }
    if (on_error == OnError::replace) bytes += '?';
  }
  return bytes;
}

bool known_charset(std::string_view label) noexcept { return charset::find_charset(label) != nullptr; }

std::string_view charset_name(std::string_view label) noexcept {
  const auto* found = charset::find_charset(label);
  return found == nullptr ? std::string_view() : found->name;
}

std::string decode_page(std::string_view bytes, std::string_view label, std::string_view* used) {
  const auto sniffed = sniff_charset(bytes);
  auto name = sniffed.charset;
  if (sniffed.source != CharsetSource::byte_order_mark && known_charset(label)) name = charset_name(label);
  bytes.remove_prefix(sniffed.mark_length);
  if (name.empty()) {
    std::string text;
    name = charset::decode_utf8(bytes, 0, text).length == 0 ? "utf-8" : "windows-1252";
  }
  if (used != nullptr) *used = name;
  return decode(bytes, name, OnError::replace);
}

}  // namespace eddy

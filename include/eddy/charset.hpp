// SPDX-License-Identifier: MIT
// Text of other charsets to and from UTF-8, and the charset a page says it is in.
//
//   UnicodeError: ValueError
//   ├── UnicodeDecodeError     bytes that the charset does not have
//   └── UnicodeEncodeError     a character that the charset does not have
//   UnknownCharsetError        a LookupError: a label that names no charset
#pragma once

#include <eddy/exceptions.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace eddy {

/// What becomes of bytes that a charset cannot decode, and of characters that it cannot encode.
enum class OnError {
  strict,   ///< throw UnicodeDecodeError or UnicodeEncodeError
  ignore,   ///< drop them
  replace,  ///< U+FFFD in decoded text, '?' in encoded bytes
};

/// Bytes into UTF-8: Python's `bytes.decode(label, errors)`.
///
/// Labels are those of the WHATWG Encoding Standard (`gb2312` means gbk, `latin1` means windows-1252);
/// upper case, surrounding blanks and `_` for `-` do not matter. What is a damaged sequence, and how many
/// bytes of it are dropped, is as in CPython's codec: for gbk exactly so, byte for byte;
/// docs/reference/charset.md lists the codecs that the other charsets follow. A byte order mark stays in the
/// text as U+FEFF, except that `utf-16` is steered by it and takes it off.
///
/// Linear in `bytes`. Throws UnknownCharsetError for an unknown label, UnicodeDecodeError if `strict`.
std::string decode(std::string_view bytes, std::string_view label, OnError on_error = OnError::strict);

/// UTF-8 into bytes of another charset: Python's `str.encode(label, errors)`.
///
/// Linear. Throws UnknownCharsetError, UnicodeEncodeError if `strict`, and UnicodeDecodeError if `strict` and `utf8`
/// is not UTF-8 (otherwise what is not UTF-8 counts as a character that no charset has).
std::string encode(std::string_view utf8, std::string_view label, OnError on_error = OnError::strict);

/// Whether decode() and encode() know the label.
bool known_charset(std::string_view label) noexcept;

/// The charset's one lower-case name, "gbk" for " GB2312"; "" if the label is unknown. Lives for ever.
std::string_view charset_name(std::string_view label) noexcept;

/// Where sniff_charset() found its answer.
enum class CharsetSource { none, byte_order_mark, xml_declaration, meta };

/// The charset a page says it is in.
struct SniffedCharset {
  std::string_view charset;     ///< canonical name; "" if the page does not say
  std::size_t mark_length = 0;  ///< bytes of byte order mark in front, not part of the text
  CharsetSource source = CharsetSource::none;
};

/// Reads what a page says about its own charset: its byte order mark; `<meta charset>` or
/// `<meta http-equiv=content-type content="…charset=…">` in the first 1024 bytes; `<?xml encoding="…"?>`.
///
/// The prescan of the HTML Standard (13.2.3.2): comments and other tags are stepped over, a declared UTF-16
/// means UTF-8, unknown labels are passed over. A charset from the transport (Content-Type) goes between the
/// byte order mark and the rest; that is the caller's business.
SniffedCharset sniff_charset(std::string_view bytes) noexcept;

/// The text of a page, for callers that only want to read it: mark taken off; the charset is the mark's, else
/// `label` if given and known, else what the page says, else UTF-8 if the bytes are that, else windows-1252.
/// Damaged bytes become U+FFFD. `used`, if given, receives the charset's name.
std::string decode_page(std::string_view bytes, std::string_view label = {},
                        std::string_view* used = nullptr);

/// No charset has this label: "unknown charset 'klingon'".
class UnknownCharsetError : public LookupError {
 public:
  explicit UnknownCharsetError(std::string_view label);
  const std::string& label() const noexcept { return label_; }

 private:
  std::string label_;
};

/// Text that cannot pass between two charsets.
class UnicodeError : public ValueError {
 public:
  UnicodeError(const std::string& what, std::string_view charset, std::size_t offset, std::string_view reason)
      : ValueError(what), charset_(charset), reason_(reason), offset_(offset) {}
  /// Canonical name.
  const std::string& charset() const noexcept { return charset_; }
  /// "illegal multibyte sequence", "invalid start byte", …
  const std::string& reason() const noexcept { return reason_; }
  /// Byte offset, in the bytes given to decode() or the UTF-8 given to encode(), where it went wrong.
  std::size_t offset() const noexcept { return offset_; }

 private:
  std::string charset_;
  std::string reason_;
  std::size_t offset_;
};

/// "'gbk' codec can't decode byte 0xff in position 4: illegal multibyte sequence".
class UnicodeDecodeError : public UnicodeError {
 public:
  UnicodeDecodeError(std::string_view charset, std::size_t offset, std::string_view bytes,
                     std::string_view reason);
  /// The bytes that make no character.
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

/// "'gbk' codec can't encode character '\U0001f600' in position 1: illegal multibyte sequence".
class UnicodeEncodeError : public UnicodeError {
 public:
  UnicodeEncodeError(std::string_view charset, std::size_t offset, std::size_t position, char32_t character,
                     std::string_view reason);
  char32_t character() const noexcept { return character_; }
  /// Characters before it, as Python counts.
  std::size_t position() const noexcept { return position_; }

 private:
  std::size_t position_;
  char32_t character_;
};

}  // namespace eddy

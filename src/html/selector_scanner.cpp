// SPDX-License-Identifier: MIT
#include <html/selector_scanner.hpp>

#include <html/tree.hpp>

#include <base/charset_codec.hpp>
#include <base/utf8.hpp>
#include <fmt/format.h>

#include <limits>

namespace eddy::html::detail {
namespace {

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool is_name_start(char c) noexcept {
  return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_newline(char c) noexcept { return c == '\n' || c == '\r' || c == '\f'; }

void append_character(std::string& out, std::uint32_t c) {
  const bool is_scalar = c != 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
  charset::append_utf8(out, is_scalar ? c : 0xFFFD);
}

}  // namespace

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_name_char(char c) noexcept { return is_name_start(c) || is_digit(c) || c == '-'; }

bool Scanner::at_end() const noexcept { return at_ == css_.size(); }

char Scanner::peek(std::size_t ahead) const noexcept {
  return at_ + ahead < css_.size() ? css_[at_ + ahead] : '\0';
}

bool Scanner::take(char c) noexcept {
  if (at_end() || css_[at_] != c) return false;
  ++at_;
  return true;
}

void Scanner::fail(std::size_t at, const std::string& problem, const std::string& hint) const {
  throw SelectorError(css_, at, problem, hint);
}

std::string Scanner::here() const {
  if (at_end()) return "the end";
  const auto first = static_cast<unsigned char>(css_[at_]);
  if (first < 0x20 || first == 0x7F) return fmt::format("'\\x{:02x}'", first);
  auto end = at_ + 1;
  while (end < css_.size() && eddy::detail::is_continuation(css_[end])) ++end;
  return fmt::format("'{}'", css_.substr(at_, end - at_));
}

std::string Scanner::hint_for_stray() const {
  if (peek() == '/') return "this looks like XPath; CSS writes 'div > a' for '//div/a'";
  if (peek() == ')' && nesting_ == 0) return "there is one ')' too many";
  if (peek() == '@') return "CSS has no '@' in front of attribute names: [href]";
  if (is_digit(peek())) return "a name cannot begin with a digit; write '\\3" + std::string(1, peek()) + " '";
  if (peek() == '=') return "attributes are tested in brackets: [name='value']";
  return {};
}

bool Scanner::skip_comment() {
  if (peek() != '/' || peek(1) != '*') return false;
  const auto end = css_.find("*/", at_ + 2);
  if (end == std::string_view::npos) fail(at_, "a comment that is not closed", "'*/' closes it");
  at_ = end + 2;
  return true;
}

bool Scanner::skip_blanks() {
  bool blank = false;
  for (;;) {
    if (!at_end() && is_blank(css_[at_])) {
      ++at_;
      blank = true;
    } else if (!skip_comment()) {
      return blank;
    }
  }
}

bool Scanner::at_escape() const noexcept {
  return peek() == '\\' && at_ + 1 < css_.size() && !is_newline(css_[at_ + 1]);
}

bool Scanner::at_name() const noexcept {
  if (at_escape() || (!at_end() && is_name_start(peek()))) return true;
  if (peek() != '-') return false;
  const char second = peek(1);
  return is_name_start(second) || second == '-' ||
         (second == '\\' && at_ + 2 < css_.size() && !is_newline(peek(2)));
}

void Scanner::take_escape(std::string& out) {
  ++at_;
  if (!is_hex(peek())) {
    const char c = css_[at_++];
    return c == '\0' ? append_character(out, 0) : void(out += c);
  }
  std::uint32_t value = 0;
  for (int digits = 0; digits < 6 && is_hex(peek()); ++digits, ++at_) {
    const char c = lower(peek());
    value = value * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
  }
  append_character(out, value);
  if (peek() == '\r' && peek(1) == '\n') ++at_;
  if (!at_end() && is_blank(peek())) ++at_;
}

std::string Scanner::take_name_chars() {
  std::string name;
  while (!at_end()) {
    if (at_escape()) {
      take_escape(name);
    } else if (is_name_char(peek())) {
      name += css_[at_++];
    } else {
      break;
    }
  }
  return name;
}

std::string Scanner::take_name(std::string_view what) {
  if (!at_name()) fail(at_, fmt::format("expected {}, got {}", what, here()), hint_for_stray());
  return take_name_chars();
}

std::string Scanner::take_string() {
  const auto begin = at_;
  const char quote = css_[at_++];
  std::string value;
  for (;;) {
    if (at_end()) fail(begin, "a string that is not closed", fmt::format("{} closes it", quote));
    const char c = peek();
    if (c == quote) return ++at_, value;
    if (is_newline(c)) fail(at_, "a line break inside a string", "write it as '\\A '");
    if (c != '\\') {
      value += css_[at_++];
    } else if (at_escape()) {
      take_escape(value);
    } else {  // a backslash at the end of a line joins it to the next
      ++at_;
      if (peek() == '\r' && peek(1) == '\n') ++at_;
      if (!at_end()) ++at_;
    }
  }
}

int Scanner::take_number(std::string_view what) {
  const auto begin = at_;
  std::int64_t value = 0;
  while (is_digit(peek())) {
    value = value * 10 + (css_[at_++] - '0');
    if (value > std::numeric_limits<int>::max()) fail(begin, "a number above 2147483647");
  }
  if (at_ == begin) fail(at_, fmt::format("expected {}, got {}", what, here()));
  return static_cast<int>(value);
}

bool Scanner::take_word(std::string_view word) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (lower(peek(i)) != word[i]) return false;
  }
  if (at_ + word.size() < css_.size() && is_name_char(peek(word.size()))) return false;
  at_ += word.size();
  return true;
}

}  // namespace eddy::html::detail

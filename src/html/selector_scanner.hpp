// SPDX-License-Identifier: MIT
// The text of a selector and its tokens: https://www.w3.org/TR/css-syntax-3/#tokenization
#pragma once

#include <html/selector_syntax.hpp>

#include <string>
#include <string_view>

namespace eddy::html::detail {

bool is_digit(char c) noexcept;
/// A letter, digit, '-', '_' or anything beyond ASCII.
bool is_name_char(char c) noexcept;

/// Reads from `at_` on; what does not fit throws SelectorError.
class Scanner {
 protected:
  explicit Scanner(std::string_view css) noexcept : css_(css) {}

  bool at_end() const noexcept;
  char peek(std::size_t ahead = 0) const noexcept;
  bool take(char c) noexcept;
  [[noreturn]] void fail(std::size_t at, const std::string& problem, const std::string& hint = {}) const;
  /// What stands here, for a message.
  std::string here() const;
  /// What was probably meant by the character that stands here.
  std::string hint_for_stray() const;
  bool skip_comment();
  /// Comments are no blanks, but may stand where blanks may. True if there was a blank.
  bool skip_blanks();
  bool at_escape() const noexcept;
  bool at_name() const noexcept;
  void take_escape(std::string& out);
  /// As many name characters as there are, perhaps none.
  std::string take_name_chars();
  /// `what` says in the message what was expected.
  std::string take_name(std::string_view what);
  /// The value of the string whose quote stands here.
  std::string take_string();
  int take_number(std::string_view what);
  /// Takes a lower-case word in any case, if it is a whole one.
  bool take_word(std::string_view word);

  std::string_view css_;
  std::size_t at_ = 0;
  int nesting_ = 0;  // open functions
};

}  // namespace eddy::html::detail

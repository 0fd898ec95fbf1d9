// SPDX-License-Identifier: MIT
#include <eddy/html/selector.hpp>

#include <eddy/charset.hpp>

#include <base/utf8.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace eddy::html {
namespace {

using eddy::detail::is_continuation;

constexpr std::size_t kAround = 40;  // bytes of a long selector shown on each side of the place

std::size_t characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

// What may go to a terminal: UTF-8 without control characters.
std::string printable(std::string_view text) {
  auto result = eddy::decode(text, "utf-8", OnError::replace);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return result;
}

struct Excerpt {
  std::string text;   // one line
  std::size_t caret;  // characters in front of the place
};

Excerpt excerpt_of(std::string_view css, std::size_t offset) {
  auto begin = offset > kAround ? offset - kAround : 0;
  auto end = std::min(css.size(), offset + kAround);
  while (begin > 0 && is_continuation(css[begin])) --begin;
  while (end < css.size() && is_continuation(css[end])) ++end;
  const auto before = (begin > 0 ? "…" : "") + printable(css.substr(begin, offset - begin));
  const auto after = printable(css.substr(offset, end - offset)) + (end < css.size() ? "…" : "");
  return {before + after, characters(before)};
}

std::string message(std::string_view css, std::size_t offset, const std::string& problem,
                    const std::string& hint) {
  const auto excerpt = excerpt_of(css, offset);
  auto text = fmt::format("selector '{}' at {}: {}\n  {}\n  {}^", excerpt.text, offset, problem, excerpt.text,
                          std::string(excerpt.caret, ' '));
  if (!hint.empty()) text += "\n" + hint;
  return text;
}

}  // namespace

SelectorError::SelectorError(std::string_view css, std::size_t offset, const std::string& problem,
                             const std::string& hint)
    : ValueError(message(css, offset, printable(problem), printable(hint))),
      problem_(printable(problem)),
      hint_(printable(hint)),
      offset_(offset) {}

}  // namespace eddy::html

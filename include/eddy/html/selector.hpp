// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace eddy::html {

namespace detail {
struct CompiledSelector;
}

/// A CSS selector, compiled once and used as often as one likes, from any thread. Each thread remembers the 32 that were
/// compiled last, so those that are given as texts, `document.select("h1 a")`, cost no more.
///
/// Selectors Level 3, and of Level 4 `:is :where :not(list) :has :scope :any-link :nth-child(an+b of S)` and
/// the flags `i` and `s`; jQuery's `:contains :eq :first :input …`. docs/reference/html.md has the whole
/// list.
///
///     const html::Selector links("dd a[href]");
///     for (const auto& page : pages) use(html::parse(page).select(links));
///
/// Matching is linear: O(nodes of the tree × parts of the selector), whatever the selector and the page.
class Selector {
 public:
  /// Throws SelectorError. At most 16,384 bytes, 64 compound selectors in a row and 8 functions inside each
  /// other.
  explicit Selector(std::string_view css);

  /// The text it was compiled from.
  const std::string& text() const noexcept;

 private:
  friend struct detail::CompiledSelector;
  std::shared_ptr<const detail::CompiledSelector> compiled_;
};

/// A selector that breaks a rule. `what()` shows the place:
///
///     selector 'dd >' at 4: expected a selector after '>', got the end
///       dd >
///           ^
class SelectorError : public ValueError {
 public:
  SelectorError(std::string_view css, std::size_t offset, const std::string& problem,
                const std::string& hint = {});
  /// Byte offset into the selector.
  std::size_t offset() const noexcept { return offset_; }
  /// The rule that was broken: "expected a selector after '>', got the end".
  const std::string& problem() const noexcept { return problem_; }
  /// What was probably meant, or "".
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string problem_;
  std::string hint_;
  std::size_t offset_;
};

}  // namespace eddy::html

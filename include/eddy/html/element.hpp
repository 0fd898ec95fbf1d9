// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <eddy/html/selector.hpp>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy::html {

namespace detail {
class Tree;
struct Access;
}  // namespace detail

class Elements;

/// How text() writes.
struct TextOptions {
  /// Also the text of <script> and <style> inside the element. With it, text() is pyquery 1.4's `.text()`.
  bool scripts = false;
  /// Written where a block element begins or ends.
  std::string_view block = "\n";
  /// Written for a <br>.
  std::string_view line_break = "\n";
};

/// What find() looks for: every field that is not empty must fit.
struct Query {
  std::string_view name = {};  ///< of the tag
  std::string_view id = {};
  std::string_view class_name = {};  ///< one of its classes
  std::string_view attribute = {};   ///< an attribute it must have …
  std::string_view value = {};       ///< … with this value, if not empty
  std::string_view contains = {};    ///< somewhere in its text content
};

/// An attribute as it stands in the page: name in lower case, references decoded; "" if it has no value.
struct Attribute {
  std::string_view name;
  std::string_view value;
};

/// One element of a parsed page.
///
/// A small handle (copy it): it shares the tree, so it stays valid after its Document is gone, and so do the
/// string_views it gives, as long as any handle of that tree lives. The tree never changes; handles may be
/// used from many threads.
class Element {
 public:
  /// Lower-case name: "a", "svg:rect".
  std::string_view tag() const noexcept;
  /// Nothing if it has no such attribute; "" if the attribute has no value. The name's case does not matter.
  std::optional<std::string_view> attr(std::string_view name) const noexcept;
  bool has_attr(std::string_view name) const noexcept { return attr(name).has_value(); }
  /// In the order of the page.
  std::vector<Attribute> attrs() const;
  std::string_view id() const noexcept { return attr("id").value_or(""); }
  bool has_class(std::string_view name) const noexcept;
  std::vector<std::string_view> classes() const;

  /// The text a reader sees, as pyquery's `.text()`: blanks squeezed, <br> and the edges of block elements
  /// are newlines. Unlike there, text of <script> and <style> inside is left out unless `options.scripts`; a
  /// <script> that is asked itself gives its text. Of a <textarea>: the text as it stands.
  std::string text(const TextOptions& options = {}) const;
  /// Only the text directly in this element, blanks squeezed.
  std::string own_text() const;
  /// All its text nodes joined, untouched: the DOM's textContent.
  std::string_view text_content() const noexcept;
  /// What is inside it, by the HTML Standard's serialisation (13.3).
  std::string html() const;
  /// The same with the element itself.
  std::string outer_html() const;
  /// What a form would send: `value`, the selected option of a <select>, the text of a <textarea>, "on" for a
  /// checkbox or radio button without a value. As pyquery's `.val()` of one value.
  std::string val() const;

  std::optional<Element> parent() const;
  /// All elements around it, the root first.
  Elements parents() const;
  Elements children() const;
  /// The first child element of that name.
  std::optional<Element> child(std::string_view tag) const;
  /// The element after it, or before it, with the same parent.
  std::optional<Element> next() const;
  std::optional<Element> prev() const;
  /// All other children of its parent.
  Elements siblings() const;

  /// Its descendants that match, in the order of the page. As in the DOM, the selector is matched against the
  /// whole page, so "body a" works here; begin with `:scope` to stay inside.
  Elements select(std::string_view css) const;
  Elements select(const Selector& selector) const;
  std::optional<Element> select_one(std::string_view css) const;
  std::optional<Element> select_one(const Selector& selector) const;
  /// Itself or the nearest ancestor that matches.
  std::optional<Element> closest(std::string_view css) const { return closest(Selector(css)); }
  std::optional<Element> closest(const Selector& selector) const;
  bool matches(std::string_view css) const { return matches(Selector(css)); }
  bool matches(const Selector& selector) const;

  /// Its first descendant that fits, and all of them.
  std::optional<Element> find(const Query& query) const;
  std::optional<Element> find(std::string_view name) const { return find(Query{.name = name}); }
  Elements find_all(const Query& query) const;
  Elements find_all(std::string_view name) const;

  /// The same element of the same tree.
  friend bool operator==(const Element& a, const Element& b) noexcept {
    return a.tree_ == b.tree_ && a.index_ == b.index_;
  }

 private:
  friend struct detail::Access;
  friend class Elements;
  Element(std::shared_ptr<const detail::Tree> tree, std::uint32_t index) noexcept
      : tree_(std::move(tree)), index_(index) {}

  std::shared_ptr<const detail::Tree> tree_;  // never null
  std::uint32_t index_;                       // of an element node
};

/// Elements of one page, each once, in the order of the page. Shares the tree as Element does.
class Elements {
 public:
  class iterator;
  using value_type = Element;

  Elements() = default;

  bool empty() const noexcept { return indexes_.empty(); }
  std::size_t size() const noexcept { return indexes_.size(); }
  /// `i` must be below size(); eq() checks.
  Element operator[](std::size_t i) const { return {tree_, indexes_[i]}; }
  /// The i-th, from the end if negative; nothing if there is none.
  std::optional<Element> eq(std::ptrdiff_t i) const;
  std::optional<Element> first() const { return eq(0); }
  std::optional<Element> last() const { return eq(-1); }
  iterator begin() const noexcept;
  iterator end() const noexcept;

  /// The texts of all, joined by one space, as pyquery does.
  std::string text(const TextOptions& options = {}) const;
  std::vector<std::string> texts(const TextOptions& options = {}) const;
  /// Of the first element; nothing if there is none.
  std::optional<std::string_view> attr(std::string_view name) const noexcept;
  /// Of every element that has it.
  std::vector<std::string_view> attrs(std::string_view name) const;

  /// Descendants of any of them that match.
  Elements select(std::string_view css) const { return select(Selector(css)); }
  Elements select(const Selector& selector) const;
  Elements find_all(const Query& query) const;
  Elements find_all(std::string_view name) const { return find_all(Query{.name = name}); }
  /// Those of them that match, and those that do not.
  Elements filter(std::string_view css) const { return filter(Selector(css)); }
  Elements filter(const Selector& selector) const;
  Elements not_(std::string_view css) const { return not_(Selector(css)); }
  Elements not_(const Selector& selector) const;
  Elements parents() const;
  Elements parent() const;
  Elements children() const;
  Elements next() const;
  Elements prev() const;
  Elements siblings() const;
  Elements closest(std::string_view css) const { return closest(Selector(css)); }
  Elements closest(const Selector& selector) const;

 private:
  friend struct detail::Access;
  Elements(std::shared_ptr<const detail::Tree> tree, std::vector<std::uint32_t> indexes) noexcept
      : tree_(std::move(tree)), indexes_(std::move(indexes)) {}

  std::shared_ptr<const detail::Tree> tree_;  // null only if default-constructed
  std::vector<std::uint32_t> indexes_;        // ascending
};

class Elements::iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Element;
  using difference_type = std::ptrdiff_t;
  using reference = Element;
  using pointer = void;

  iterator() = default;
  Element operator*() const { return (*elements_)[at_]; }
  iterator& operator++() noexcept { return ++at_, *this; }
  iterator operator++(int) noexcept {
    auto before = *this;
    return ++at_, before;
  }
  friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.at_ == b.at_; }

 private:
  friend class Elements;
  iterator(const Elements* elements, std::size_t at) noexcept : elements_(elements), at_(at) {}

  const Elements* elements_ = nullptr;
  std::size_t at_ = 0;
};

inline Elements::iterator Elements::begin() const noexcept { return {this, 0}; }
inline Elements::iterator Elements::end() const noexcept { return {this, size()}; }

}  // namespace eddy::html

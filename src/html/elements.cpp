// SPDX-License-Identifier: MIT
#include <eddy/html/element.hpp>

#include <html/access.hpp>
#include <html/matcher.hpp>

#include <algorithm>
#include <iterator>
#include <limits>
#include <unordered_map>

namespace eddy::html {

using namespace detail;

namespace {

constexpr auto kAll = std::numeric_limits<std::size_t>::max();

// Each once, in the order of the page.
std::vector<Index> in_page_order(std::vector<Index> indexes) {
  std::sort(indexes.begin(), indexes.end());
  indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
  return indexes;
}

// What is asked of one element at a time has nothing to count.
const CompiledSelector& uncounted(const Selector& selector) {
  const auto& compiled = CompiledSelector::of(selector);
  if (compiled.counts) {
    throw SelectorError(compiled.text, 0,
                        "a pseudo-class that counts the elements found, where one element is tested",
                        "Elements::first(), last() and eq() take one of many");
  }
  return compiled;
}

// One element may be asked for each of `from`; kNoElement is none.
template <class Step>
std::vector<Index> stepped(const std::vector<Index>& from, Step step) {
  std::vector<Index> found;
  for (const auto i : from) {
    if (const auto to = step(i); to != kNoElement) found.push_back(to);
  }
  return in_page_order(std::move(found));
}

// The elements of `from` that lie in no other of them: their subtrees hold all that lies in any.
std::vector<Index> outermost(const Tree& tree, const std::vector<Index>& from) {
  std::vector<Index> roots;
  for (const auto i : from) {
    if (roots.empty() || i >= tree.nodes[roots.back()].end) roots.push_back(i);
  }
  return roots;
}

}  // namespace

std::optional<Element> Elements::eq(std::ptrdiff_t i) const {
  const auto count = static_cast<std::ptrdiff_t>(size());
  if (i < 0) i += count;
  if (i < 0 || i >= count) return std::nullopt;
  return (*this)[static_cast<std::size_t>(i)];
}

std::string Elements::text(const TextOptions& options) const {
  std::string joined;
  for (std::size_t i = 0; i < size(); ++i) {
    if (i > 0) joined += ' ';
    joined += visible_text(*tree_, indexes_[i], options);
  }
  return joined;
}

std::vector<std::string> Elements::texts(const TextOptions& options) const {
  std::vector<std::string> all;
  for (const auto i : indexes_) all.push_back(visible_text(*tree_, i, options));
  return all;
}

std::optional<std::string_view> Elements::attr(std::string_view name) const noexcept {
  return empty() ? std::nullopt : (*this)[0].attr(name);
}

std::vector<std::string_view> Elements::attrs(std::string_view name) const {
  std::vector<std::string_view> all;
  for (const auto element : *this) {
    if (const auto value = element.attr(name)) all.push_back(*value);
  }
  return all;
}

Elements Elements::select(const Selector& selector) const {
  if (empty()) return {};
  Matcher matcher(*tree_, CompiledSelector::of(selector), indexes_.front());
  std::vector<Index> found;
  for (const auto i : outermost(*tree_, indexes_)) {
    matcher.set_scope(i);
    const auto below = matcher.select(i + 1, tree_->nodes[i].end, kAll);
    found.insert(found.end(), below.begin(), below.end());
  }
  return {tree_, std::move(found)};
}

Elements Elements::find_all(const Query& query) const {
  if (empty()) return {};
  std::vector<Index> found;
  for (const auto i : outermost(*tree_, indexes_)) {
    const auto below = find_elements(*tree_, i, query, kAll);
    found.insert(found.end(), below.begin(), below.end());
  }
  return {tree_, std::move(found)};
}

Elements Elements::filter(const Selector& selector) const {
  const auto& compiled = uncounted(selector);
  if (empty()) return {};
  Matcher matcher(*tree_, compiled, indexes_.front());
  std::vector<Index> found;
  for (const auto i : indexes_) {
    matcher.set_scope(i);
    if (matcher.matches(i)) found.push_back(i);
  }
  return {tree_, std::move(found)};
}

Elements Elements::not_(const Selector& selector) const {
  const auto without = filter(selector);
  std::vector<Index> left;
  std::set_difference(indexes_.begin(), indexes_.end(), without.indexes_.begin(), without.indexes_.end(),
                      std::back_inserter(left));
  return {tree_, std::move(left)};
}

Elements Elements::parent() const {
  return {tree_, stepped(indexes_, [&](Index i) { return tree_->nodes[i].parent; })};
}

Elements Elements::parents() const {
  std::vector<Index> found;
  std::vector<bool> seen(empty() ? 0 : tree_->size());
  for (const auto from : indexes_) {
    for (auto i = tree_->nodes[from].parent; i != kDocument && !seen[i]; i = tree_->nodes[i].parent) {
      seen[i] = true;
      found.push_back(i);
    }
  }
  return {tree_, in_page_order(std::move(found))};
}

Elements Elements::children() const {
  std::vector<Index> found;
  for (const auto from : indexes_) {
    for (auto i = tree_->first_child(from); i != kNoElement; i = tree_->next_sibling(i)) found.push_back(i);
  }
  return {tree_, in_page_order(std::move(found))};
}

Elements Elements::next() const {
  return {tree_, stepped(indexes_, [&](Index i) { return tree_->next_sibling(i); })};
}

Elements Elements::prev() const {
  return {tree_, stepped(indexes_, [&](Index i) { return tree_->nodes[i].previous; })};
}

Elements Elements::siblings() const {
  // A parent with one of them gives all its other children, with two of them all its children.
  std::vector<Index> found;
  std::unordered_map<Index, Index> only;  // parent → the one of them it has; kNoElement if more
  for (const auto i : indexes_) {
    const auto [place, is_new] = only.emplace(tree_->nodes[i].parent, i);
    if (!is_new) place->second = kNoElement;
  }
  for (const auto& [parent, one] : only) {
    for (auto i = tree_->first_child(parent); i != kNoElement; i = tree_->next_sibling(i)) {
      if (i != one) found.push_back(i);
    }
  }
  return {tree_, in_page_order(std::move(found))};
}

Elements Elements::closest(const Selector& selector) const {
  const auto& compiled = uncounted(selector);
  if (empty()) return {};
  Matcher matcher(*tree_, compiled, indexes_.front());
  return {tree_, stepped(indexes_, [&](Index i) {
            matcher.set_scope(i);
            while (i != kDocument && !matcher.matches(i)) i = tree_->nodes[i].parent;
            return i;
          })};
}

}  // namespace eddy::html

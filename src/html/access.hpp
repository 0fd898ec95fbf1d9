// SPDX-License-Identifier: MIT
// The library's own way into its handles, and what they share.
#pragma once

#include <eddy/html/document.hpp>
#include <html/tree.hpp>

#include <vector>

namespace eddy::html::detail {

using TreePtr = std::shared_ptr<const Tree>;

struct Access {
  static Document document(TreePtr tree) { return Document(std::move(tree)); }
  static Element element(TreePtr tree, Index i) { return {std::move(tree), i}; }
  static std::optional<Element> optional_element(const TreePtr& tree, Index i) {
    return i == kNoElement ? std::nullopt : std::optional(element(tree, i));
  }
  static Elements elements(TreePtr tree, std::vector<Index> indexes) {
    return {std::move(tree), std::move(indexes)};
  }
};

/// Elements that fit, among the descendants of `scope`; at most `limit` of them.
std::vector<Index> find_elements(const Tree& tree, Index scope, const Query& query, std::size_t limit);

std::string visible_text(const Tree& tree, Index element, const TextOptions& options);
/// Runs of blanks as one space, none at the ends (Unicode's white space there, as Python's strip()).
std::string squeezed(std::string_view text);

/// The nodes of [from, to) as HTML: whole subtrees.
std::string serialised(const Tree& tree, Index from, Index to);

}  // namespace eddy::html::detail

// SPDX-License-Identifier: MIT
// A parsed page as arrays, in the order of the page.
//
// Node 0 is the document. A node's descendants are the nodes behind it up to its `end`, so a subtree is a
// range of numbers, the order of the page is the order of numbers, and "is a descendant of" is two
// comparisons. All text lies in one string in the same order, so the text content of any element is one
// string_view.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eddy::html::detail {

using Index = std::uint32_t;
using Name = std::uint32_t;

constexpr Index kDocument = 0;
constexpr Index kNoElement = 0;       // the document is no element
constexpr Name kNoName = 0xFFFFFFFF;  // a name that occurs nowhere in the page

enum class NodeKind : std::uint8_t { document, element, text, comment, instruction };

struct Node {
  NodeKind kind;
  Name name;  // of elements and processing instructions
  Index parent;
  Index end;                 // one behind its last descendant
  Index previous;            // element sibling before an element; kNoElement for the first
  std::uint32_t position;    // 1-based place of an element among its parent's elements
  std::uint32_t children;    // how many elements are its children
  std::uint32_t text;        // where its text begins; it ends where that of node `end` begins
  std::uint32_t attributes;  // its first attribute; the last is in front of the next node's first
};

struct AttributeEntry {
  Name name;
  std::uint32_t begin, length;  // of its value in `values`
};

/// Names of tags and attributes, each once.
class Names {
 public:
  Name intern(std::string_view name);
  /// kNoName if it does not occur.
  Name find(std::string_view name) const noexcept;
  std::string_view operator[](Name name) const noexcept { return names_[name]; }

 private:
  std::deque<std::string> names_;  // its strings stay where they are
  std::unordered_map<std::string_view, Name> index_;
};

class Tree {
 public:
  std::vector<Node> nodes;  // and one more behind the last, so that ranges have an end
  std::vector<AttributeEntry> attributes;
  std::string text;
  std::string values;  // of attributes; the data of comments and instructions is a nameless attribute
  Names names;
  std::string doctype;  // the name in <!DOCTYPE name>, "" without one
  std::string_view encoding = "utf-8";
  std::string_view truncated;

  Index size() const noexcept { return static_cast<Index>(nodes.size() - 1); }
  bool is_element(Index i) const noexcept { return nodes[i].kind == NodeKind::element; }
  std::string_view name(Index i) const noexcept { return names[nodes[i].name]; }
  std::string_view text_of(Index i) const noexcept {
    return std::string_view(text).substr(nodes[i].text, nodes[nodes[i].end].text - nodes[i].text);
  }
  std::string_view value(const AttributeEntry& a) const noexcept {
    return std::string_view(values).substr(a.begin, a.length);
  }
  const AttributeEntry* attributes_begin(Index i) const noexcept {
    return attributes.data() + nodes[i].attributes;
  }
  const AttributeEntry* attributes_end(Index i) const noexcept {
    return attributes.data() + nodes[i + 1].attributes;
  }
  const AttributeEntry* find_attribute(Index i, Name name) const noexcept {
    for (auto* a = attributes_begin(i); a != attributes_end(i); ++a) {
      if (a->name == name) return a;
    }
    return nullptr;
  }
  /// Data of a comment or instruction.
  std::string_view data_of(Index i) const noexcept { return value(*attributes_begin(i)); }

  /// First element child, next element sibling: kNoElement if there is none. They step over texts and
  /// comments.
  Index first_child(Index i) const noexcept { return next_element(i + 1, nodes[i].end); }
  Index next_sibling(Index i) const noexcept {
    return next_element(nodes[i].end, nodes[nodes[i].parent].end);
  }
  /// The element that has no parent element.
  Index root() const noexcept { return first_child(kDocument); }

 private:
  Index next_element(Index i, Index end) const noexcept {
    for (; i < end; i = nodes[i].end) {
      if (is_element(i)) return i;
    }
    return kNoElement;
  }
};

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}
constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string lowered(std::string_view text);

/// Whether `token` is one of the words of `list`, which blanks separate. No word is empty or has a blank in
/// it.
bool has_token(std::string_view list, std::string_view token) noexcept;

/// Elements that have no content and no end tag (HTML Standard 13.1.2).
bool is_void_element(std::string_view name) noexcept;

/// pyquery's list of elements that do not break a line.
bool is_inline_element(std::string_view name) noexcept;

}  // namespace eddy::html::detail

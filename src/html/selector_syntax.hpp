// SPDX-License-Identifier: MIT
// A compiled selector: lists of complex selectors, each a row of compound selectors, each a set of simple
// ones.
#pragma once

#include <eddy/html/selector.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::html::detail {

struct Complex;
using SelectorList = std::vector<Complex>;

enum class Combinator : std::uint8_t { none, descendant, child, next_sibling, later_sibling };

enum class SimpleKind : std::uint8_t {
  tag,         // name; prefix says how
  id,          // value
  class_name,  // value
  attribute,   // name, prefix, test, value
  nth_child,   // a, b, and `list` for "of S"
  nth_last_child,
  nth_of_type,  // a, b
  nth_last_of_type,
  only_child,
  only_of_type,
  root,
  empty,
  scope,
  is,   // list; also :where
  no,   // list; :not
  has,  // list of relative selectors
  lang,
  contains,
  parent,  // jQuery: has an element inside
  any_link,
  checked,
  selected,
  enabled,
  disabled,
  required,
  optional,
  input,       // jQuery: a form control
  button,      // jQuery
  header,      // jQuery: h1 to h6
  input_type,  // jQuery's :text, :password, …: value is the type
  never,       // :hover, :visited, …
};

enum class AttributeTest : std::uint8_t { exists, equals, differs, has_word, dash, begins, ends, contains };

/// What stands in front of a name: `name`, `|name`, `*|name`, `prefix|name`.
enum class Prefix : std::uint8_t { unstated, none, any, named };

struct Simple {
  SimpleKind kind = SimpleKind::never;
  AttributeTest test = AttributeTest::exists;
  Prefix prefix = Prefix::unstated;
  bool ignore_case = false;
  std::string name;  // of a tag or attribute, lower case, with its prefix if named ("svg:rect")
  std::string value;
  int a = 0, b = 0;  // of an+b
  SelectorList list;
  std::uint32_t slot = 0;  // its place in a matcher's caches
};

/// A jQuery pseudo-class that counts what was found so far.
struct Position {
  enum class Kind : std::uint8_t { first, last, even, odd, eq, lt, gt };
  Kind kind;
  int index;  // of eq, lt and gt: from 0
};

struct Compound {
  Combinator combinator = Combinator::none;  // to the compound on the left, or to the anchor in :has()
  std::vector<Simple> simples;
  std::vector<Position> positions;
  std::uint32_t slot = 0;
};

struct Complex {
  std::vector<Compound> compounds;  // left to right, never empty
};

struct CompiledSelector {
  std::string text;
  SelectorList list;
  std::uint32_t slots = 0;
  bool counts = false;      // has a Position somewhere
  bool uses_scope = false;  // has a :scope somewhere

  static const CompiledSelector& of(const Selector& selector) noexcept { return *selector.compiled_; }
};

/// Throws SelectorError.
CompiledSelector compile_selector(std::string_view css);

}  // namespace eddy::html::detail

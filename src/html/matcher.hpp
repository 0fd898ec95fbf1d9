// SPDX-License-Identifier: MIT
// Which elements of a tree a compiled selector matches, in time linear in nodes × parts of the selector.
//
// An element is tested from the right: its own compound, then what stands to the left, by combinators. Three
// things keep that linear for any page and any selector:
//
//   a b, a ~ b      whether some ancestor (or earlier sibling) matches "a" is remembered for each element
//   asked about
//                   and for all on the way, so every edge of the tree is walked once;
//   :has(…)         is worked out for the whole page at once, by sweeps from its right end to its left;
//   :nth-…          places among siblings are counted once for the whole page, or were counted when it was
//   parsed.
//
// One Matcher serves one call of select() or matches(); its caches are made when first needed.
#pragma once

#include <html/selector_syntax.hpp>
#include <html/tree.hpp>

#include <functional>
#include <vector>

namespace eddy::html::detail {

class Matcher {
 public:
  /// `scope` is what `:scope` means.
  Matcher(const Tree& tree, const CompiledSelector& selector, Index scope);

  /// The elements in [from, to) that match; at most `limit`. Positions (:first, :eq) count in this range.
  std::vector<Index> select(Index from, Index to, std::size_t limit);
  bool matches(Index element);
  /// From now on `:scope` means another element. Forgets what depended on it.
  void set_scope(Index scope);

 private:
  using Flags = std::vector<std::uint8_t>;    // per node
  using Counts = std::vector<std::uint32_t>;  // per node

  bool match_list(const SelectorList& list, Index e);
  bool match_complex(const Complex& complex, std::size_t last, Index e);
  bool match_left(const Complex& complex, std::size_t at, Index e);
  bool match_reach(const Complex& complex, std::size_t at, Index e);
  bool match_compound(const Compound& compound, Index e);
  bool match_simple(const Simple& simple, Index e);
  bool match_name(const Simple& simple, Index e) const;
  bool match_attribute(const Simple& simple, Index e) const;
  bool match_nth(const Simple& simple, Index e);
  bool match_of_type(const Simple& simple, Index e);

  const Flags& has_flags(const Simple& simple);
  void add_relatives(const Complex& relative, Flags& result);
  const Counts& type_places(bool from_end);
  const Counts& filtered_places(const Simple& simple);
  const Flags& contains_flags(const Simple& simple);
  const Flags& position_flags(const Complex& complex, std::size_t at);

  void resolve(const SelectorList& list);
  Name name_of(const Simple& simple) const noexcept { return names_[simple.slot]; }

  const Tree& tree_;
  const CompiledSelector& selector_;
  Index scope_;
  Index from_ = 0, to_ = 0;  // where positions count
  Name id_, class_, type_;
  std::vector<Name> names_;        // by slot: the simple selector's name in this tree
  std::vector<Flags> flags_;       // by slot: reach (0 unknown, 1 no, 2 yes), :has, :contains
  std::vector<Counts> counts_;     // by slot: places for "of S"
  std::vector<Flags> positioned_;  // by slot: compounds with positions
  Counts type_places_, type_places_from_end_;
};

using IsFirstOfType = std::function<bool(Index)>;
/// Form controls and the like.
bool match_form_state(const Tree& tree, SimpleKind kind, Index e, const IsFirstOfType& is_first_of_type);
/// Language of the element as HTML says it: the nearest lang attribute.
bool match_language(const Tree& tree, std::string_view range, Index e);

}  // namespace eddy::html::detail

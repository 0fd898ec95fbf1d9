// SPDX-License-Identifier: MIT
// The parts of a selector that are worked out for the whole page at once.
#include <html/matcher.hpp>

#include <algorithm>
#include <unordered_map>

namespace eddy::html::detail {
namespace {

using Flags = std::vector<std::uint8_t>;

// For each element: is one of those in `marked` where `combinator` points from it?
Flags pointing_to(const Tree& tree, Combinator combinator, const Flags& marked) {
  Flags result(marked.size());
  const bool far = combinator == Combinator::descendant || combinator == Combinator::later_sibling;
  const bool up = combinator == Combinator::descendant || combinator == Combinator::child;
  for (auto i = tree.size(); i-- > 1;) {  // from the end: what is below and behind is known
    if (!tree.is_element(i)) continue;
    if (marked[i] == 0 && !(far && result[i] != 0)) continue;
    result[up ? tree.nodes[i].parent : tree.nodes[i].previous] = 1;
  }
  result[kDocument] = 0;
  return result;
}

}  // namespace

const Matcher::Flags& Matcher::has_flags(const Simple& simple) {
  if (flags_[simple.slot].empty()) {
    Flags result(tree_.nodes.size());
    for (const auto& relative : simple.list) add_relatives(relative, result);
    flags_[simple.slot] = std::move(result);
  }
  return flags_[simple.slot];
}

// Marks each element that `relative`, as in :has(> a b), finds something from. From right to left: elements
// that match the last compound; those from which its combinator reaches one of these and that match the
// compound before …
void Matcher::add_relatives(const Complex& relative, Flags& result) {
  const auto n = tree_.size();
  Flags marked(tree_.nodes.size(), 1);
  for (auto at = relative.compounds.size(); at-- > 0;) {
    const auto& compound = relative.compounds[at];
    for (Index e = 1; e < n; ++e) {
      marked[e] = marked[e] != 0 && tree_.is_element(e) && match_compound(compound, e);
    }
    marked = pointing_to(tree_, compound.combinator, marked);
  }
  for (Index e = 1; e < n; ++e) result[e] |= marked[e];
}

// The place of each element among its siblings of the same name.
const Matcher::Counts& Matcher::type_places(bool from_end) {
  auto& places = from_end ? type_places_from_end_ : type_places_;
  if (!places.empty()) return places;
  places.resize(tree_.nodes.size());
  std::unordered_map<std::uint64_t, std::uint32_t> seen;
  const auto count = [&](Index e) {
    if (!tree_.is_element(e)) return;
    const auto& node = tree_.nodes[e];
    places[e] = ++seen[std::uint64_t{node.parent} << 32 | node.name];
  };
  const auto n = tree_.size();
  for (Index i = 1; i < n; ++i) count(from_end ? n - i : i);
  return places;
}

// The place of each element among its siblings that match the list of ":nth-child(an+b of list)"; 0 if it
// does not.
const Matcher::Counts& Matcher::filtered_places(const Simple& simple) {
  if (!counts_[simple.slot].empty()) return counts_[simple.slot];
  const bool from_end = simple.kind == SimpleKind::nth_last_child;
  const auto n = tree_.size();
  Counts places(tree_.nodes.size()), seen(tree_.nodes.size());
  for (Index i = 1; i < n; ++i) {
    const auto e = from_end ? n - i : i;
    if (tree_.is_element(e) && match_list(simple.list, e)) places[e] = ++seen[tree_.nodes[e].parent];
  }
  return counts_[simple.slot] = std::move(places);
}

// An element contains the text if an occurrence begins in its part of the page's text early enough to end
// there.
const Matcher::Flags& Matcher::contains_flags(const Simple& simple) {
  auto& result = flags_[simple.slot];
  if (!result.empty()) return result;
  result.resize(tree_.nodes.size());
  std::vector<std::size_t> places;
  for (std::size_t at = 0; (at = tree_.text.find(simple.value, at)) != std::string::npos; ++at) {
    places.push_back(at);
    if (simple.value.empty()) break;
  }
  for (Index e = 1; e < tree_.size(); ++e) {
    const auto begin = tree_.nodes[e].text, end = tree_.nodes[tree_.nodes[e].end].text;
    const auto place = std::lower_bound(places.begin(), places.end(), begin);
    result[e] = simple.value.empty() || (place != places.end() && *place + simple.value.size() <= end);
  }
  return result;
}

// jQuery's counting pseudo-classes, as pyquery has them: in the first compound the elements found in the
// whole range are counted, after a combinator those found with the same parent.
const Matcher::Flags& Matcher::position_flags(const Complex& complex, std::size_t at) {
  const auto& compound = complex.compounds[at];
  if (!positioned_[compound.slot].empty()) return positioned_[compound.slot];
  Flags result(tree_.nodes.size());
  Counts place(tree_.nodes.size()), total(tree_.nodes.size());
  const auto group_of = [&](Index e) { return at == 0 ? kDocument : tree_.nodes[e].parent; };
  const auto from = at == 0 ? from_ : Index{1}, to = at == 0 ? to_ : tree_.size();
  for (auto e = from; e < to; ++e) {
    if (!tree_.is_element(e) || !match_compound(compound, e) || !match_left(complex, at, e)) continue;
    result[e] = 1;
    place[e] = total[group_of(e)]++;  // counted from 0
  }
  for (auto e = from; e < to; ++e) {
    if (result[e] == 0) continue;
    const auto i = static_cast<std::int64_t>(place[e]);
    const auto fits = [&](const Position& position) {
      switch (position.kind) {
        case Position::Kind::first:
          return i == 0;
        case Position::Kind::last:
          return i + 1 == total[group_of(e)];
        case Position::Kind::even:
          return i % 2 == 0;
        case Position::Kind::odd:
          return i % 2 == 1;
        case Position::Kind::eq:
          return i == position.index;
        case Position::Kind::lt:
          return i < position.index;
        case Position::Kind::gt:
          return i > position.index;
      }
      return false;
    };
    result[e] = std::all_of(compound.positions.begin(), compound.positions.end(), fits);
  }
  return positioned_[compound.slot] = std::move(result);
}

}  // namespace eddy::html::detail

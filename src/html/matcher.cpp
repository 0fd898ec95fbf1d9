// SPDX-License-Identifier: MIT
#include <html/matcher.hpp>

#include <algorithm>
#include <array>

namespace eddy::html::detail {
namespace {

constexpr std::uint8_t kUnknown = 0, kNo = 1, kYes = 2;

// Whether `place` is a·n + b for some n ≥ 0.
bool in_series(std::int64_t place, const Simple& nth) noexcept {
  const std::int64_t rest = place - nth.b;
  if (nth.a == 0) return rest == 0;
  return rest % nth.a == 0 && rest / nth.a >= 0;
}

bool equal_folded(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool test_value(AttributeTest test, std::string_view have, std::string_view want) noexcept {
  switch (test) {
    case AttributeTest::exists:
      return true;
    case AttributeTest::equals:
      return have == want;
    case AttributeTest::differs:
      return have != want;
    case AttributeTest::has_word:
      return std::none_of(want.begin(), want.end(), is_blank) && has_token(have, want);
    case AttributeTest::dash:
      return have.starts_with(want) && (have.size() == want.size() || have[want.size()] == '-');
    case AttributeTest::begins:
      return !want.empty() && have.starts_with(want);
    case AttributeTest::ends:
      return !want.empty() && have.ends_with(want);
    case AttributeTest::contains:
      return !want.empty() && have.find(want) != std::string_view::npos;
  }
  return false;
}

std::string_view local_name(std::string_view name) noexcept {
  const auto colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

bool fits_prefix(const Simple& simple, std::string_view name) noexcept {
  if (simple.prefix == Prefix::any) return simple.name == "*" || local_name(name) == simple.name;
  if (simple.prefix == Prefix::none) {
    return name.find(':') == std::string_view::npos && (simple.name == "*" || name == simple.name);
  }
  // prefix|* : any name with that prefix
  return name.starts_with(std::string_view(simple.name).substr(0, simple.name.size() - 1));
}

bool needs_prefix_test(const Simple& simple) noexcept {
  return simple.prefix == Prefix::any || simple.prefix == Prefix::none ||
         (simple.prefix == Prefix::named && simple.name.ends_with(":*"));
}

}  // namespace

Matcher::Matcher(const Tree& tree, const CompiledSelector& selector, Index scope)
    : tree_(tree),
      selector_(selector),
      scope_(scope),
      id_(tree.names.find("id")),
      class_(tree.names.find("class")),
      type_(tree.names.find("type")),
      names_(selector.slots, kNoName),
      flags_(selector.slots),
      counts_(selector.slots),
      positioned_(selector.counts ? selector.slots : 0) {
  resolve(selector.list);
}

void Matcher::resolve(const SelectorList& list) {
  for (const auto& complex : list) {
    for (const auto& compound : complex.compounds) {
      for (const auto& simple : compound.simples) {
        if (!simple.name.empty()) names_[simple.slot] = tree_.names.find(simple.name);
        resolve(simple.list);
      }
    }
  }
}

void Matcher::set_scope(Index scope) {
  if (selector_.uses_scope && scope != scope_) {
    for (auto& flags : flags_) flags.clear();
    for (auto& counts : counts_) counts.clear();
  }
  scope_ = scope;
}

std::vector<Index> Matcher::select(Index from, Index to, std::size_t limit) {
  from_ = from;
  to_ = to;
  for (auto& flags : positioned_) flags.clear();
  std::vector<Index> found;
  for (auto e = from; e < to && found.size() < limit; ++e) {
    if (tree_.is_element(e) && match_list(selector_.list, e)) found.push_back(e);
  }
  return found;
}

bool Matcher::matches(Index element) { return match_list(selector_.list, element); }

bool Matcher::match_list(const SelectorList& list, Index e) {
  return std::any_of(list.begin(), list.end(), [&](const Complex& complex) {
    return match_complex(complex, complex.compounds.size() - 1, e);
  });
}

// Whether the compounds 0 … last match, the last of them at `e`.
bool Matcher::match_complex(const Complex& complex, std::size_t last, Index e) {
  const auto& compound = complex.compounds[last];
  if (!compound.positions.empty()) return position_flags(complex, last)[e] != 0;
  return match_compound(compound, e) && match_left(complex, last, e);
}

// Whether what stands to the left of compound `at` is where its combinator wants it.
bool Matcher::match_left(const Complex& complex, std::size_t at, Index e) {
  if (at == 0) return true;
  switch (complex.compounds[at].combinator) {
    case Combinator::none:
      return true;
    case Combinator::child: {
      const auto parent = tree_.nodes[e].parent;
      return parent != kDocument && match_complex(complex, at - 1, parent);
    }
    case Combinator::next_sibling: {
      const auto previous = tree_.nodes[e].previous;
      return previous != kNoElement && match_complex(complex, at - 1, previous);
    }
    case Combinator::descendant:
    case Combinator::later_sibling:
      return match_reach(complex, at, e);
  }
  return false;
}

// Whether some ancestor, or some earlier sibling, matches the compounds in front of `at`. The answer holds
// for every element on the way there, too.
bool Matcher::match_reach(const Complex& complex, std::size_t at, Index e) {
  const bool up = complex.compounds[at].combinator == Combinator::descendant;
  const auto step = [&](Index i) { return up ? tree_.nodes[i].parent : tree_.nodes[i].previous; };
  auto& known = flags_[complex.compounds[at].slot];
  if (known.empty()) known.resize(tree_.nodes.size(), kUnknown);
  auto answer = kUnknown;
  auto last = e;
  for (; (answer = known[last]) == kUnknown; last = step(last)) {
    const auto next = step(last);
    if (next == kNoElement) answer = kNo;
    if (next != kNoElement && match_complex(complex, at - 1, next)) answer = kYes;
    if (answer != kUnknown) break;
  }
  for (auto i = e; i != last; i = step(i)) known[i] = answer;
  known[last] = answer;
  return answer == kYes;
}

bool Matcher::match_compound(const Compound& compound, Index e) {
  return std::all_of(compound.simples.begin(), compound.simples.end(),
                     [&](const Simple& simple) { return match_simple(simple, e); });
}

bool Matcher::match_simple(const Simple& simple, Index e) {
  const auto& node = tree_.nodes[e];
  switch (simple.kind) {
    case SimpleKind::tag:
      return match_name(simple, e);
    case SimpleKind::id: {
      const auto* a = tree_.find_attribute(e, id_);
      return a != nullptr && tree_.value(*a) == simple.value;
    }
    case SimpleKind::class_name: {
      const auto* a = tree_.find_attribute(e, class_);
      return a != nullptr && has_token(tree_.value(*a), simple.value);
    }
    case SimpleKind::attribute:
      return match_attribute(simple, e);
    case SimpleKind::nth_child:
    case SimpleKind::nth_last_child:
      return match_nth(simple, e);
    case SimpleKind::nth_of_type:
    case SimpleKind::nth_last_of_type:
    case SimpleKind::only_of_type:
      return match_of_type(simple, e);
    case SimpleKind::only_child:
      return tree_.nodes[node.parent].children == 1;
    case SimpleKind::root:
      return node.parent == kDocument;
    case SimpleKind::empty:
      return node.children == 0 && tree_.text_of(e).empty();
    case SimpleKind::scope:
      return e == scope_;
    case SimpleKind::is:
      return match_list(simple.list, e);
    case SimpleKind::no:
      return !match_list(simple.list, e);
    case SimpleKind::has:
      return has_flags(simple)[e] != 0;
    case SimpleKind::contains:
      return contains_flags(simple)[e] != 0;
    case SimpleKind::lang:
      return match_language(tree_, simple.value, e);
    case SimpleKind::parent:
      return node.children > 0;
    case SimpleKind::input_type: {
      const auto* a = tree_.find_attribute(e, type_);
      return a != nullptr && tree_.name(e) == "input" && equal_folded(tree_.value(*a), simple.value);
    }
    case SimpleKind::never:
      return false;
    default:
      return match_form_state(tree_, simple.kind, e, [&](Index i) { return type_places(false)[i] == 1; });
  }
}

bool Matcher::match_name(const Simple& simple, Index e) const {
  return needs_prefix_test(simple) ? fits_prefix(simple, tree_.name(e))
                                   : tree_.nodes[e].name == name_of(simple);
}

bool Matcher::match_attribute(const Simple& simple, Index e) const {
  const bool by_prefix = simple.prefix == Prefix::any;
  const AttributeEntry* entry = nullptr;
  if (by_prefix) {
    for (auto* a = tree_.attributes_begin(e); a != tree_.attributes_end(e) && entry == nullptr; ++a) {
      if (fits_prefix(simple, tree_.names[a->name])) entry = a;
    }
  } else if (name_of(simple) != kNoName) {
    entry = tree_.find_attribute(e, name_of(simple));
  }
  if (entry == nullptr) return simple.test == AttributeTest::differs;
  const auto value = tree_.value(*entry);
  if (!simple.ignore_case) return test_value(simple.test, value, simple.value);
  return test_value(simple.test, lowered(value), lowered(simple.value));
}

bool Matcher::match_nth(const Simple& simple, Index e) {
  const auto& node = tree_.nodes[e];
  if (!simple.list.empty()) {
    const auto place = filtered_places(simple)[e];
    return place != 0 && in_series(place, simple);
  }
  const bool from_end = simple.kind == SimpleKind::nth_last_child;
  return in_series(from_end ? tree_.nodes[node.parent].children - node.position + 1 : node.position, simple);
}

bool Matcher::match_of_type(const Simple& simple, Index e) {
  if (simple.kind == SimpleKind::only_of_type) return type_places(false)[e] == 1 && type_places(true)[e] == 1;
  return in_series(type_places(simple.kind == SimpleKind::nth_last_of_type)[e], simple);
}

}  // namespace eddy::html::detail

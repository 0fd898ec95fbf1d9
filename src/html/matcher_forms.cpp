// SPDX-License-Identifier: MIT
// Pseudo-classes of forms and languages: HTML Standard 4.16.3, "Pseudo-classes", and jQuery's.
#include <html/matcher.hpp>

#include <algorithm>
#include <array>

namespace eddy::html::detail {
namespace {

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 4> kControls{"input", "select", "textarea", "button"};

bool has(const Tree& tree, Index e, std::string_view attribute) noexcept {
  const auto name = tree.names.find(attribute);
  return name != kNoName && tree.find_attribute(e, name) != nullptr;
}

bool has_type(const Tree& tree, Index e, std::string_view type) noexcept {
  const auto name = tree.names.find("type");
  const auto* a = name == kNoName ? nullptr : tree.find_attribute(e, name);
  return a != nullptr && lowered(tree.value(*a)) == type;
}

bool is_named(const Tree& tree, Index e, std::string_view name) noexcept { return tree.name(e) == name; }

// Inside a disabled <fieldset>, but not inside its first <legend>.
bool is_in_disabled_fieldset(const Tree& tree, Index e, const IsFirstOfType& is_first_of_type) {
  auto below = e;
  for (auto i = tree.nodes[e].parent; i != kDocument; below = i, i = tree.nodes[i].parent) {
    if (!is_named(tree, i, "fieldset") || !has(tree, i, "disabled")) continue;
    if (!is_named(tree, below, "legend") || !is_first_of_type(below)) return true;
  }
  return false;
}

bool can_be_disabled(std::string_view name) noexcept {
  return is_one_of(name, kControls) || name == "fieldset" || name == "option" || name == "optgroup";
}

bool is_disabled(const Tree& tree, Index e, const IsFirstOfType& is_first_of_type) {
  if (!can_be_disabled(tree.name(e))) return false;
  if (has(tree, e, "disabled")) return true;
  const auto parent = tree.nodes[e].parent;
  if (is_named(tree, e, "option")) {
    return parent != kDocument && is_named(tree, parent, "optgroup") && has(tree, parent, "disabled");
  }
  return !is_named(tree, e, "optgroup") && is_in_disabled_fieldset(tree, e, is_first_of_type);
}

bool is_checked(const Tree& tree, Index e) noexcept {
  if (is_named(tree, e, "option")) return has(tree, e, "selected");
  return is_named(tree, e, "input") && has(tree, e, "checked") &&
         (has_type(tree, e, "checkbox") || has_type(tree, e, "radio"));
}

}  // namespace

bool match_form_state(const Tree& tree, SimpleKind kind, Index e, const IsFirstOfType& is_first_of_type) {
  const auto name = tree.name(e);
  const bool fillable = name == "input" || name == "select" || name == "textarea";
  switch (kind) {
    case SimpleKind::any_link:
      return (name == "a" || name == "area") && has(tree, e, "href");
    case SimpleKind::checked:
      return is_checked(tree, e);
    case SimpleKind::selected:
      return name == "option" && has(tree, e, "selected");
    case SimpleKind::disabled:
      return is_disabled(tree, e, is_first_of_type);
    case SimpleKind::enabled:
      return can_be_disabled(name) && !is_disabled(tree, e, is_first_of_type);
    case SimpleKind::required:
      return fillable && has(tree, e, "required");
    case SimpleKind::optional:
      return fillable && !has(tree, e, "required");
    case SimpleKind::input:
      return is_one_of(name, kControls);
    case SimpleKind::button:
      return name == "button" || (name == "input" && has_type(tree, e, "button"));
    case SimpleKind::header:
      return name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6';
    default:
      return false;
  }
}

bool match_language(const Tree& tree, std::string_view range, Index e) {
  const auto lang = tree.names.find("lang"), xml_lang = tree.names.find("xml:lang");
  for (; e != kDocument; e = tree.nodes[e].parent) {
    const auto* a = lang == kNoName ? nullptr : tree.find_attribute(e, lang);
    if (a == nullptr && xml_lang != kNoName) a = tree.find_attribute(e, xml_lang);
    if (a == nullptr) continue;
    const auto have = lowered(tree.value(*a)), want = lowered(range);
    return !want.empty() && have.starts_with(want) &&
           (have.size() == want.size() || have[want.size()] == '-');
  }
  return false;
}

}  // namespace eddy::html::detail

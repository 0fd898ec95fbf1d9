// SPDX-License-Identifier: MIT
#include <eddy/html/element.hpp>

#include <html/access.hpp>
#include <html/matcher.hpp>

#include <limits>

namespace eddy::html {

using namespace detail;

namespace {

constexpr auto kAll = std::numeric_limits<std::size_t>::max();

std::vector<Index> select_below(const Tree& tree, Index scope, const Selector& selector, std::size_t limit) {
  Matcher matcher(tree, CompiledSelector::of(selector), scope);
  return matcher.select(scope + 1, tree.nodes[scope].end, limit);
}

}  // namespace

std::string_view Element::tag() const noexcept { return tree_->name(index_); }

std::optional<std::string_view> Element::attr(std::string_view name) const noexcept {
  for (auto* a = tree_->attributes_begin(index_); a != tree_->attributes_end(index_); ++a) {
    const auto have = tree_->names[a->name];
    const bool equal = std::equal(have.begin(), have.end(), name.begin(), name.end(),
                                  [](char x, char y) { return x == lower(y); });
    if (equal) return tree_->value(*a);
  }
  return std::nullopt;
}

std::vector<Attribute> Element::attrs() const {
  std::vector<Attribute> all;
  for (auto* a = tree_->attributes_begin(index_); a != tree_->attributes_end(index_); ++a) {
    all.push_back({tree_->names[a->name], tree_->value(*a)});
  }
  return all;
}

bool Element::has_class(std::string_view name) const noexcept {
  return has_token(attr("class").value_or(""), name);
}

std::vector<std::string_view> Element::classes() const {
  std::vector<std::string_view> words;
  const auto list = attr("class").value_or("");
  for (std::size_t at = 0; at < list.size();) {
    if (is_blank(list[at])) {
      ++at;
      continue;
    }
    const auto begin = at;
    while (at < list.size() && !is_blank(list[at])) ++at;
    words.push_back(list.substr(begin, at - begin));
  }
  return words;
}

std::string Element::text(const TextOptions& options) const { return visible_text(*tree_, index_, options); }

std::string Element::own_text() const {
  std::string own;
  const auto end = tree_->nodes[index_].end;
  for (auto i = index_ + 1; i < end; i = tree_->nodes[i].end) {
    if (tree_->nodes[i].kind == NodeKind::text) own += tree_->text_of(i);
  }
  return squeezed(own);
}

std::string_view Element::text_content() const noexcept { return tree_->text_of(index_); }

std::string Element::html() const { return serialised(*tree_, index_ + 1, tree_->nodes[index_].end); }

std::string Element::outer_html() const { return serialised(*tree_, index_, tree_->nodes[index_].end); }

std::string Element::val() const {
  const auto value = attr("value");
  if (tag() == "textarea") return std::string(text_content());
  if (tag() == "select") {
    auto options = find_all({.name = "option", .attribute = "selected"});
    const auto option = options.empty() ? find("option") : options.last();
    if (!option) return {};
    const auto chosen = option->attr("value");
    return chosen ? std::string(*chosen) : squeezed(option->text_content());
  }
  const auto type = lowered(attr("type").value_or(""));
  if (tag() == "input" && (type == "checkbox" || type == "radio")) return std::string(value.value_or("on"));
  return std::string(value.value_or(""));
}

std::optional<Element> Element::parent() const {
  return Access::optional_element(tree_, tree_->nodes[index_].parent);
}

Elements Element::parents() const {
  std::vector<Index> up;
  for (auto i = tree_->nodes[index_].parent; i != kDocument; i = tree_->nodes[i].parent) up.push_back(i);
  return Access::elements(tree_, {up.rbegin(), up.rend()});
}

Elements Element::children() const {
  std::vector<Index> all;
  for (auto i = tree_->first_child(index_); i != kNoElement; i = tree_->next_sibling(i)) all.push_back(i);
  return Access::elements(tree_, std::move(all));
}

std::optional<Element> Element::child(std::string_view tag) const {
  for (auto i = tree_->first_child(index_); i != kNoElement; i = tree_->next_sibling(i)) {
    if (tree_->name(i) == tag) return Access::element(tree_, i);
  }
  return std::nullopt;
}

std::optional<Element> Element::next() const {
  return Access::optional_element(tree_, tree_->next_sibling(index_));
}

std::optional<Element> Element::prev() const {
  return Access::optional_element(tree_, tree_->nodes[index_].previous);
}

Elements Element::siblings() const {
  std::vector<Index> all;
  for (auto i = tree_->first_child(tree_->nodes[index_].parent); i != kNoElement;
       i = tree_->next_sibling(i)) {
    if (i != index_) all.push_back(i);
  }
  return Access::elements(tree_, std::move(all));
}

Elements Element::select(std::string_view css) const { return select(Selector(css)); }

Elements Element::select(const Selector& selector) const {
  return Access::elements(tree_, select_below(*tree_, index_, selector, kAll));
}

std::optional<Element> Element::select_one(std::string_view css) const { return select_one(Selector(css)); }

std::optional<Element> Element::select_one(const Selector& selector) const {
  const auto found = select_below(*tree_, index_, selector, 1);
  return found.empty() ? std::nullopt : std::optional(Access::element(tree_, found.front()));
}

std::optional<Element> Element::closest(const Selector& selector) const {
  return Access::elements(tree_, {index_}).closest(selector).first();
}

bool Element::matches(const Selector& selector) const {
  return !Access::elements(tree_, {index_}).filter(selector).empty();
}

std::optional<Element> Element::find(const Query& query) const {
  const auto found = find_elements(*tree_, index_, query, 1);
  return found.empty() ? std::nullopt : std::optional(Access::element(tree_, found.front()));
}

Elements Element::find_all(const Query& query) const {
  return Access::elements(tree_, find_elements(*tree_, index_, query, kAll));
}

Elements Element::find_all(std::string_view name) const { return find_all(Query{.name = name}); }

}  // namespace eddy::html

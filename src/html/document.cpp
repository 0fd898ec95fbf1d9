// SPDX-License-Identifier: MIT
#include <eddy/html/document.hpp>

#include <html/access.hpp>
#include <html/matcher.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace eddy::html {

using namespace detail;

namespace {

constexpr auto kAll = std::numeric_limits<std::size_t>::max();

struct LinkAttribute {
  std::string_view name;
  std::string_view only_on;  // the one element where it is a URL; "" for any
};
// Attributes that are one URL (HTML Standard, index of attributes), and the obsolete ones that pages still
// have.
constexpr std::array<LinkAttribute, 14> kLinkAttributes{{{"href", ""},
                                                         {"src", ""},
                                                         {"action", "form"},
                                                         {"formaction", ""},
                                                         {"cite", ""},
                                                         {"poster", "video"},
                                                         {"data", "object"},
                                                         {"background", ""},
                                                         {"longdesc", ""},
                                                         {"lowsrc", "img"},
                                                         {"dynsrc", "img"},
                                                         {"manifest", "html"},
                                                         {"codebase", ""},
                                                         {"xlink:href", ""}}};

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_link(std::string_view tag, std::string_view attribute) noexcept {
  return std::any_of(kLinkAttributes.begin(), kLinkAttributes.end(), [&](const LinkAttribute& known) {
    return known.name == attribute && (known.only_on.empty() || known.only_on == tag);
  });
}

}  // namespace

std::vector<Index> detail::find_elements(const Tree& tree, Index scope, const Query& query,
                                         std::size_t limit) {
  const auto id = tree.names.find("id"), class_name = tree.names.find("class");
  const auto name = tree.names.find(lowered(query.name)),
             attribute = tree.names.find(lowered(query.attribute));
  const auto value_of = [&](Index e, Name which) -> std::optional<std::string_view> {
    const auto* a = which == kNoName ? nullptr : tree.find_attribute(e, which);
    return a == nullptr ? std::nullopt : std::optional(tree.value(*a));
  };
  const auto fits = [&](Index e) {
    if (!query.name.empty() && tree.nodes[e].name != name) return false;
    if (!query.id.empty() && value_of(e, id) != query.id) return false;
    if (!query.class_name.empty() && !has_token(value_of(e, class_name).value_or(""), query.class_name))
      return false;
    if (!query.attribute.empty()) {
      const auto value = value_of(e, attribute);
      if (!value || (!query.value.empty() && *value != query.value)) return false;
    }
    return query.contains.empty() || tree.text_of(e).find(query.contains) != std::string_view::npos;
  };
  std::vector<Index> found;
  for (auto e = scope + 1; e < tree.nodes[scope].end && found.size() < limit; ++e) {
    if (tree.is_element(e) && fits(e)) found.push_back(e);
  }
  return found;
}

std::optional<Element> Document::root() const { return Access::optional_element(tree_, tree_->root()); }

Elements Document::select(const Selector& selector) const {
  Matcher matcher(*tree_, CompiledSelector::of(selector), tree_->root());
  return Access::elements(tree_, matcher.select(1, tree_->size(), kAll));
}

std::optional<Element> Document::select_one(const Selector& selector) const {
  Matcher matcher(*tree_, CompiledSelector::of(selector), tree_->root());
  const auto found = matcher.select(1, tree_->size(), 1);
  return found.empty() ? std::nullopt : std::optional(Access::element(tree_, found.front()));
}

std::optional<Element> Document::find(const Query& query) const {
  const auto found = find_elements(*tree_, kDocument, query, 1);
  return found.empty() ? std::nullopt : std::optional(Access::element(tree_, found.front()));
}

Elements Document::find_all(const Query& query) const {
  return Access::elements(tree_, find_elements(*tree_, kDocument, query, kAll));
}

std::string Document::title() const {
  const auto found = find("title");
  return found ? squeezed(found->text_content()) : std::string();
}

std::optional<std::string_view> Document::base_href() const noexcept {
  const auto base = tree_->names.find("base"), href = tree_->names.find("href");
  if (base == kNoName || href == kNoName) return std::nullopt;
  for (Index e = 1; e < tree_->size(); ++e) {
    if (!tree_->is_element(e) || tree_->nodes[e].name != base) continue;
    if (const auto* a = tree_->find_attribute(e, href)) return trimmed(tree_->value(*a));
  }
  return std::nullopt;
}

std::vector<Link> Document::links() const {
  std::vector<Link> links;
  for (Index e = 1; e < tree_->size(); ++e) {
    if (!tree_->is_element(e)) continue;
    for (auto* a = tree_->attributes_begin(e); a != tree_->attributes_end(e); ++a) {
      const auto name = tree_->names[a->name];
      if (is_link(tree_->name(e), name))
        links.push_back({Access::element(tree_, e), name, trimmed(tree_->value(*a))});
    }
  }
  return links;
}

std::vector<std::string> Document::absolute_links(std::string_view page_url, const UrlJoin& join) const {
  const auto href = base_href();
  const auto base = href ? join(page_url, *href) : std::string(page_url);
  std::vector<std::string> urls;
  for (const auto& link : links()) {
    if (link.element.tag() != "base") urls.push_back(join(base, link.url));
  }
  return urls;
}

std::string Document::text(const TextOptions& options) const {
  const auto top = tree_->root();
  return top == kNoElement ? std::string() : visible_text(*tree_, top, options);
}

std::string Document::html() const {
  auto out = tree_->doctype.empty() ? std::string() : "<!DOCTYPE " + tree_->doctype + ">";
  return out += serialised(*tree_, 1, tree_->size());
}

std::string_view Document::encoding() const noexcept { return tree_->encoding; }

std::string_view Document::truncated() const noexcept { return tree_->truncated; }

}  // namespace eddy::html

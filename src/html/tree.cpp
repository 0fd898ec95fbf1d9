// SPDX-License-Identifier: MIT
#include <html/tree.hpp>

#include <algorithm>
#include <array>

namespace eddy::html::detail {

Name Names::intern(std::string_view name) {
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  const auto id = static_cast<Name>(names_.size());
  index_.emplace(names_.emplace_back(name), id);
  return id;
}

Name Names::find(std::string_view name) const noexcept {
  const auto found = index_.find(name);
  return found == index_.end() ? kNoName : found->second;
}

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

bool has_token(std::string_view list, std::string_view token) noexcept {
  if (token.empty()) return false;
  for (std::size_t at = 0; (at = list.find(token, at)) != std::string_view::npos; ++at) {
    const auto end = at + token.size();
    if ((at == 0 || is_blank(list[at - 1])) && (end == list.size() || is_blank(list[end]))) return true;
  }
  return false;
}

bool is_void_element(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 18> kVoid{
      "area", "base",  "basefont", "bgsound", "br",   "col",   "embed",  "frame", "hr",
      "img",  "input", "keygen",   "link",    "meta", "param", "source", "track", "wbr"};
  return std::binary_search(kVoid.begin(), kVoid.end(), name);
}

bool is_inline_element(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 31> kInline{
      "a",     "abbr", "acronym", "b",   "bdo",   "big",      "button", "cite", "code", "dfn",    "em",
      "i",     "img",  "input",   "kbd", "label", "map",      "object", "q",    "samp", "script", "select",
      "small", "span", "strong",  "sub", "sup",   "textarea", "time",   "tt",   "var"};
  return std::binary_search(kInline.begin(), kInline.end(), name);
}

}  // namespace eddy::html::detail

// SPDX-License-Identifier: MIT
// A page: the tree must hang together, what is written of it must be UTF-8, and its encoding must not matter where all
// is ASCII.
#include <eddy/html.hpp>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

namespace {

namespace html = eddy::html;

void require(bool fact) {
  if (!fact) std::abort();
}

void check_neighbours(const html::Element& element) {
  std::optional<html::Element> before;
  for (const auto& child : element.children()) {
    require(child.parent() == element);
    require(child.prev() == before);
    if (before) require(before->next() == child);
    before = child;
  }
  if (before) require(!before->next());
}

void check(const html::Document& document) {
  const auto all = document.select("*");
  require(all.size() == document.find_all(html::Query{}).size());
  std::size_t children = 0;
  for (const auto& element : all) {
    check_neighbours(element);
    children += element.children().size();
    require(!element.tag().empty());
    for (const auto& [name, value] : element.attrs()) require(!name.empty() && element.attr(name) == value);
  }
  std::size_t roots = 0;
  for (const auto& element : all) roots += !element.parent();
  require(children + roots == all.size());
  if (const auto root = document.root()) {
    require(root->text().size() <= root->text({.scripts = true}).size() + root->text_content().size());
    require(document.html().find(root->outer_html()) != std::string::npos);
  }
  for (const auto* css :
       {"div > p + *", ":has(> a)", "li:nth-last-child(2n+1 of [class])", "p ~ p", ":contains('a')"}) {
    for (const auto& element : document.select(css)) require(element.matches(css));
  }
  (void)eddy::decode(document.html(), "utf-8");  // throws if it is not UTF-8
  (void)eddy::decode(document.text(), "utf-8");
  (void)document.links();
}

// Behind a character that is not ASCII, libxml2 takes another way through the rest.
void check_as_utf8(const std::string& page) {
  constexpr std::string_view kMark = "<!--é-->";
  auto text = html::parse(std::string(kMark) + page).html();
  const auto mark = text.find(kMark);
  require(mark != text.npos);
  require(text.erase(mark, kMark.size()) == html::parse(page).html());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  auto page = eddy::decode({reinterpret_cast<const char*>(data), size}, "utf-8", eddy::OnError::replace);
  std::erase(page, '\0');  // as parse() does
  if (!page.starts_with("\xef\xbb\xbf")) check_as_utf8(page);
  check(html::parse(bytes,
                    {.on_limit = html::OnLimit::truncate, .nodes = 2000, .depth = 40, .attributes = 20}));
  try {
    check(html::parse(bytes, {.nodes = 50, .depth = 10, .attributes = 4}));
  } catch (const html::ParseError& error) {
    require(error.actual() > error.allowed());
  }
  return 0;
}

// SPDX-License-Identifier: MIT
// A selector, against a small page that has something of everything.
#include <eddy/html.hpp>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

namespace html = eddy::html;

void require(bool fact) {
  if (!fact) std::abort();
}

const html::Document& page() {
  static const auto document = html::parse(
      "<title>t</title><div id=a class='x y' lang=en><p id=b>one <b>two</b><!-- c --></p><p class=x>three</p><ul><li>1"
      "<li class=x title='a b'>2<li><i></i></ul></div><form><fieldset disabled><legend><input type=text></legend><input "
      "type=radio checked></fieldset><select><option selected>o</select></form><o:p></o:p><table><tr><td>1<td>2</table>");
  return document;
}

// What matches() says of each element, in order.
bool agrees(const html::Elements& found, const html::Selector& selector) {
  std::size_t at = 0;
  for (const auto& element : page().select("*")) {
    const bool is_found = at < found.size() && found[at] == element;
    if (is_found != element.matches(selector)) return false;
    at += is_found;
  }
  return at == found.size();  // in the order of the page, each once
}

// Selectors that have a scope mean something else for one element; an escape can hide the word.
bool has_scope(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text.find("scope") != std::string::npos || text.find('\\') != std::string::npos;
}

void check(const html::Selector& selector) {
  const auto found = page().select(selector);
  const auto one = page().select_one(selector);
  require(one.has_value() == !found.empty());
  if (one && selector.text().find(':') == std::string::npos) require(*one == found[0]);
  try {
    if (!has_scope(std::string(selector.text()))) require(agrees(found, selector));
  } catch (const html::SelectorError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view css(reinterpret_cast<const char*>(data), size);
  try {
    const html::Selector selector(css);
    require(selector.text() == css);
    check(selector);
  } catch (const html::SelectorError& error) {
    require(error.offset() <= css.size());
    require(!error.problem().empty());
    require(std::string_view(error.what()).find(error.problem()) != std::string_view::npos);
  }
  return 0;
}

// SPDX-License-Identifier: MIT
// Of a page that is all ASCII libxml2 takes a byte for a character: nobody may notice.
#include <eddy/html.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace html = eddy::html;

// With a character beyond ASCII in front.
std::string read_as_utf8(const std::string& page) {
  constexpr std::string_view kMark = "<!--é-->";
  auto text = html::parse(std::string(kMark) + page).html();
  const auto at = text.find(kMark);
  return at == text.npos ? "the comment is not there" : text.erase(at, kMark.size());
}

// Pages of pieces that open, close and quote each other anyhow.
TEST(Encodings, AsciiPagesHaveTheTreeOfUtf8) {
  const std::vector<std::string_view> pieces = {
      "<p>",       "</p>",     "<div class=\"", "<a href='", "\"",      "'",         ">",       "<",        "=",    "/>",
      "<!--",      "-->",      "--!>",          "--",        "-",       "<script>",  "</script>", "<style>", "</style>", "</s",
      "<!DOCTYPE html PUBLIC \"", "<!DOCTYPE html>", "<?php ", "?>",    "<![CDATA[", "]]>",     "&amp;",    "&amp", "&#65;",
      "&#",        "&#233;",   "&#x20ac;",      "&eacute;",  "&",       ";",         "<title>", "</title>", "<table><tr><td>",
      "</table>",  "<br>",     "<li>",          "<body>",    "</body>", "<head>",    "</html>", "<option selected ", "<b ",
      "</b x",     "</",       "\n",            " ",         "  \t ",   "\x01",      "\x7f",    "a",        "some text",
      "x=1 y=2 checked disabled", "// a > b", "<meta charset='latin1'>",
      "<meta http-equiv='Content-Type' content='text/html; charset=utf-16'>",
      "<!",        "!",        "<1",            "<p/x",      "<dd>",    "<wbr>"};
  std::mt19937 random(20);
  for (int i = 0; i < 20'000; ++i) {
    std::string page;
    for (auto left = random() % 24 + 1; left > 0; --left) page += pieces[random() % pieces.size()];
    ASSERT_EQ(html::parse(page).html(), read_as_utf8(page)) << page;
  }
}

// libxml2 is given some thousand bytes at a time.
TEST(Encodings, CharactersMayStandAcrossWhatIsReadAtATime) {
  for (const std::string_view character : {"é", "€", "𝄞"}) {
    for (std::size_t blanks = 4080; blanks < 4100; ++blanks) {
      std::string text(blanks, 'x');
      for (int i = 0; i < 2000; ++i) text += character;
      const auto document = html::parse("<p title='" + text + "'>" + text + "<!--" + text + "-->" + text + "</p>");
      const auto p = document.select_one("p");
      ASSERT_EQ(p->text_content(), text + text);
      ASSERT_EQ(p->attr("title"), text);
      ASSERT_NE(document.html().find("<!--" + text + "-->"), std::string::npos);
    }
  }
}

}  // namespace

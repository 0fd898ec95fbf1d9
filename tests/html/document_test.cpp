// SPDX-License-Identifier: MIT
#include <eddy/html.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <span>

namespace {

namespace html = eddy::html;

std::string body_of(std::string_view page) {
  const auto body = html::parse(page).body();
  return body ? body->html() : "no body";
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// --- the tree
// ---------------------------------------------------------------------------------------------------

TEST(Parse, ClosesWhatTheSourceLeavesOpen) {
  EXPECT_EQ(body_of("<p>a<p>b<div>c"), "<p>a</p><p>b</p><div>c</div>");
  EXPECT_EQ(body_of("<ul><li>a<li>b</ul>"), "<ul><li>a</li><li>b</li></ul>");
  EXPECT_EQ(body_of("<dl><dt>a<dd>b<p>c<dd>d<dt>e</dl>"),
            "<dl><dt>a</dt><dd>b<p>c</p></dd><dd>d</dd><dt>e</dt></dl>");
  EXPECT_EQ(body_of("<dl><dd>a<dl><dd>b<dd>c</dl><dd>d</dl>"),
            "<dl><dd>a<dl><dd>b</dd><dd>c</dd></dl></dd><dd>d</dd></dl>");
}

TEST(Parse, KnowsTheVoidElementsOfHtml5) {
  EXPECT_EQ(body_of("<p>a<wbr>b<wbr/>c</p><video><source src=x><source src=y></video>z"),
            "<p>a<wbr>b<wbr>c</p><video><source src=\"x\"><source src=\"y\"></video>z");
  EXPECT_EQ(body_of("<p>" + repeated("<wbr>x", 5000)).size(), 7u + 5000 * 6);  // none inside another
}

TEST(Parse, KeepsTagsAndMarkupOutOfScripts) {
  const auto document = html::parse("<script>var x = \"<p>\";</script><style>p > a {}</style>");
  EXPECT_FALSE(document.select_one("p"));
  EXPECT_EQ(document.html(),
            "<html><head><script>var x = \"<p>\";</script><style>p > a {}</style></head></html>");
}

TEST(Parse, TakesAnEmptyPage) {
  for (const auto* page : {"", "  \n", "<!doctype html>", "<!-- c -->"}) {
    const auto document = html::parse(page);
    EXPECT_FALSE(document.root()) << page;
    EXPECT_EQ(document.select("*").size(), 0u);
    EXPECT_EQ(document.text(), "");
    EXPECT_EQ(document.title(), "");
  }
}

TEST(Parse, TakesBytesThatAreNoText) {
  EXPECT_EQ(body_of("<p>a\xFF\xC3z"), "<p>a\uFFFD\uFFFDz</p>");
  EXPECT_EQ(body_of(std::string_view("<p>a\0b</p>", 10)), "<p>ab</p>");
  EXPECT_EQ(body_of("<meta charset=gbk><p>中</p>"),
            "<p>中</p>");  // text is UTF-8, whatever it says of itself
}

TEST(Parse, DecodesBytesByWhatThePageSays) {
  const auto page = html::parse(bytes("<meta charset=gb2312><p>\xD6\xD0\xCE\xC4"));
  EXPECT_EQ(page.select("p").text(), "中文");
  EXPECT_EQ(page.encoding(), "gbk");
  EXPECT_EQ(html::parse(bytes("\xEF\xBB\xBF<p>中")).body()->html(), "<p>中</p>");
  EXPECT_EQ(html::parse(bytes("<p>\xA4\xA4"), {.encoding = "big5"}).select("p").text(), "中");
  EXPECT_EQ(html::parse("<p>").encoding(), "utf-8");
}

TEST(Parse, LoadsNothing) {
  const auto document = html::parse(
      "<!DOCTYPE html SYSTEM 'file:///etc/passwd' [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><p>&x;");
  EXPECT_EQ(document.select("p").text().find("root:"), std::string::npos);
}

// --- limits
// -----------------------------------------------------------------------------------------------------

std::string limit_error(std::string_view page, const html::ParseOptions& options = {}) {
  try {
    html::parse(page, options);
  } catch (const html::ParseError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ParseLimits, SayWhichAndHowMuch) {
  EXPECT_EQ(limit_error(repeated("<div>", 511)),
            "html: 513 elements inside each other, the limit is 512 (ParseOptions::depth)");
  EXPECT_EQ(limit_error(repeated("<div>", 510)), "no error");
  EXPECT_EQ(limit_error("<p>1<p>2", {.nodes = 5}), "html: 6 nodes, the limit is 5 (ParseOptions::nodes)");
  EXPECT_EQ(limit_error("<p>1", {.nodes = 4}), "no error");
  EXPECT_EQ(limit_error("12345", {.bytes = 4}), "html: 5 bytes, the limit is 4 (ParseOptions::bytes)");
  EXPECT_EQ(limit_error("<p a b c>", {.attributes = 2}),
            "html: 3 attributes of one element, the limit is 2 (ParseOptions::attributes)");
  try {
    html::parse("<p a b c>", {.attributes = 2});
    FAIL();
  } catch (const html::ParseError& error) {
    EXPECT_EQ(error.limit(), "attributes");
    EXPECT_EQ(error.allowed(), 2u);
    EXPECT_EQ(error.actual(), 3u);
  }
}

TEST(ParseLimits, MayCutThePageInstead) {
  const auto deep =
      html::parse("<p>kept</p>" + repeated("<div>", 1000) + "lost", {.on_limit = html::OnLimit::truncate});
  EXPECT_EQ(deep.truncated(), "depth");
  EXPECT_EQ(deep.select("div").size(), 510u);
  EXPECT_EQ(deep.text(), "kept");
  const auto cut = html::parse("<p>中中", {.on_limit = html::OnLimit::truncate, .bytes = 7});
  EXPECT_EQ(cut.truncated(), "bytes");
  EXPECT_EQ(cut.select("p").text(), "中");  // never half a character
  EXPECT_EQ(html::parse("<p>").truncated(), "");
}

TEST(ParseLimits, HoldBeforeTheParserGoesQuadratic) {
  std::string many = "<p ";
  for (int i = 0; i < 200'000; ++i) many += "a" + std::to_string(i) + " ";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(limit_error(many + ">")
                  .ends_with("attributes of one element, the limit is 256 (ParseOptions::attributes)"));
  EXPECT_EQ(html::parse(many + ">x", {.on_limit = html::OnLimit::truncate}).truncated(), "attributes");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(ParseTime, IsLinear) {
  const auto start = std::chrono::steady_clock::now();
  limit_error(repeated("<div>", 100'000));
  html::parse(repeated("<b>", 500) + repeated("</i>", 100'000));
  html::parse(repeated("<p>a<b>", 200) + repeated("<p></b></x>", 20'000),
              {.on_limit = html::OnLimit::truncate});
  html::parse("<!--" + repeated("<!-", 100'000));
  html::parse(repeated("<!", 100'000));
  html::parse(repeated("&#x41", 100'000) + repeated("&nosuch", 100'000));
  html::parse("<script>" + repeated("</scrip", 100'000));
  html::parse(repeated("<a href='", 100'000));
  html::parse(repeated("<dd><b>", 200) + repeated("<dd>x", 50'000), {.on_limit = html::OnLimit::truncate});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

// --- what a document tells
// --------------------------------------------------------------------------------------

TEST(Document, HasATitleABaseAndLinks) {
  const auto document = html::parse(
      "<title> A\n  book </title><base href=' /b/ '><body background=bg.png><a href=' x.html '>x</a><a "
      "name=y>"
      "<form action=go><img src=i.png></form><blockquote cite=c></blockquote>");
  EXPECT_EQ(document.title(), "A book");
  EXPECT_EQ(document.base_href(), "/b/");
  std::string all;
  for (const auto& link : document.links()) {
    all += std::string(link.element.tag()) + "." + std::string(link.attribute) + "=" + std::string(link.url) +
           " ";
  }
  EXPECT_EQ(
      all,
      "base.href=/b/ body.background=bg.png a.href=x.html form.action=go img.src=i.png blockquote.cite=c ");
  const auto join = [](std::string_view base, std::string_view reference) {
    return "(" + std::string(base) + "+" + std::string(reference) + ")";
  };
  EXPECT_EQ(document.absolute_links("http://h/", join)[1], "((http://h/+/b/)+x.html)");
  EXPECT_EQ(html::parse("<a href=x>").absolute_links("http://h/", join)[0], "(http://h/+x)");
}

TEST(Document, ElementsOutliveIt) {
  std::optional<html::Element> element;
  std::string_view href;
  {
    const auto document = html::parse("<p><a href=/x>y</a></p>");
    element = document.select_one("a");
    href = *element->attr("href");
  }
  EXPECT_EQ(element->text(), "y");
  EXPECT_EQ(href, "/x");
  EXPECT_EQ(element->parent()->tag(), "p");
}

// --- serialisation
// ----------------------------------------------------------------------------------------------

TEST(Serialise, FollowsTheHtmlStandard) {
  EXPECT_EQ(body_of("<p title='a\"b&amp;<c>&nbsp;'>&lt;&amp;&gt;\"&nbsp;'</p>"),
            "<p title=\"a&quot;b&amp;<c>&nbsp;\">&lt;&amp;&gt;\"&nbsp;'</p>");
  EXPECT_EQ(body_of("<br/><img src=x><input disabled><hr>"), "<br><img src=\"x\"><input disabled=\"\"><hr>");
  EXPECT_EQ(body_of("<p><!-- c --><script>a < b && c</script><xmp><b></xmp></p>x"),
            "<p><!-- c --><script>a < b && c</script></p><xmp><b></b></xmp>x");
  EXPECT_EQ(html::parse("<!DOCTYPE html><p>x").html(), "<!DOCTYPE html><html><body><p>x</p></body></html>");
  EXPECT_EQ(html::parse("<p>a<b>c</b>").select_one("b")->outer_html(), "<b>c</b>");
}

}  // namespace

// SPDX-License-Identifier: MIT
#include <eddy/html.hpp>

#include <gtest/gtest.h>

namespace {

namespace html = eddy::html;

std::string ids(const html::Elements& elements) {
  std::string text;
  for (const auto& element : elements) text += (text.empty() ? "" : " ") + std::string(element.id());
  return text;
}

std::string id(const std::optional<html::Element>& element) {
  return element ? std::string(element->id()) : "none";
}

const html::Document& tree() {
  static const auto document = html::parse(
      "<div id=a class='one two\nthree'>x <p id=b>y<b id=c>z</b></p> w<!-- c --><p id=d title=T>v</p>"
      "<ul id=e><li id=f>1<li id=g>2<li id=h>3</ul></div><div id=i><p id=j>k</p></div>");
  return document;
}

html::Element by_id(std::string_view name) { return *tree().find({.id = name}); }

// --- text
// -------------------------------------------------------------------------------------------------------

std::string text_of(std::string_view inside, const html::TextOptions& options = {}) {
  return html::parse("<div id=x>" + std::string(inside) + "</div>").select("#x").text(options);
}

TEST(Text, OfAContentBlockIsPyquerys) {
  const auto* block =
      "&nbsp;×4 老夫掐指一算<br/><br/> 正在读高三的<b>杨间</b>此刻<p>para</p>tail<script>var a=1;</script>";
  EXPECT_EQ(text_of(block, {.scripts = true}), "×4 老夫掐指一算\n\n正在读高三的杨间此刻\npara\ntailvar a=1;");
  EXPECT_EQ(text_of(block), "×4 老夫掐指一算\n\n正在读高三的杨间此刻\npara\ntail");
}

TEST(Text, LeavesScriptsOutUnlessAskedItself) {
  EXPECT_EQ(text_of("a<script>b</script>c<style>d</style>e"), "ace");
  EXPECT_EQ(text_of("a<style>b</style>c", {.scripts = true}), "a\nb\nc");
  EXPECT_EQ(html::parse("<script>b</script>").select("script").text(), "b");
}

TEST(Text, BreaksAtBlocksAndBrOnly) {
  EXPECT_EQ(text_of("a<p>b</p><p>c</p>d"), "a\nb\nc\nd");
  EXPECT_EQ(text_of("a<div><div>b</div></div>c"), "a\nb\nc");
  EXPECT_EQ(text_of("<br>a<br><br>b<br>"), "a\n\nb");
  EXPECT_EQ(text_of(" a \n b<i> c</i>\u200B\u200Bd\u3000"), "a b c d");
  EXPECT_EQ(text_of("a<!-- c -->b"), "ab");
  EXPECT_EQ(text_of("<p> </p>"), "");
}

TEST(Text, WritesBreaksAsToldTo) {
  EXPECT_EQ(text_of("<p>a</p><p>b<br>c</p>", {.block = " | ", .line_break = " / "}), "a | b / c");
}

TEST(Text, OfATextareaStandsAsItIs) {
  EXPECT_EQ(html::parse("<textarea> a\n b </textarea>").select("textarea").text(), " a\n b ");
}

TEST(Text, OfASetIsJoinedByOneSpace) {
  EXPECT_EQ(tree().select("li").text(), "1 2 3");
  EXPECT_EQ(tree().select("li").texts(), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(tree().select("h6").text(), "");
}

TEST(Text, OwnAndContentAreTheTextNodes) {
  EXPECT_EQ(by_id("a").own_text(), "x w");
  EXPECT_EQ(by_id("b").text_content(), "yz");
  EXPECT_EQ(by_id("a").text_content(), "x yz wv123");
}

// --- attributes
// -------------------------------------------------------------------------------------------------

TEST(Element, TellsItsAttributes) {
  EXPECT_EQ(by_id("d").attr("TITLE"), "T");
  EXPECT_FALSE(by_id("d").attr("href").has_value());
  EXPECT_TRUE(by_id("d").has_attr("title"));
  ASSERT_EQ(by_id("d").attrs().size(), 2u);
  EXPECT_EQ(by_id("d").attrs()[1].name, "title");
  EXPECT_EQ(by_id("a").classes(), (std::vector<std::string_view>{"one", "two", "three"}));
  EXPECT_TRUE(by_id("a").has_class("three"));
  EXPECT_FALSE(by_id("a").has_class("thre"));
  EXPECT_FALSE(by_id("a").has_class(""));
}

TEST(Element, TellsTheValueAFormWouldSend) {
  const auto page = html::parse(
      "<input id=a value=1><input id=b type=checkbox><select id=c><option value=x>X<option selected> Y  "
      "y</select>"
      "<select id=d><option value=p></select><textarea id=e>t</textarea><input id=f><select id=g></select>");
  const auto val = [&](std::string_view name) { return page.find({.id = name})->val(); };
  EXPECT_EQ(val("a"), "1");
  EXPECT_EQ(val("b"), "on");
  EXPECT_EQ(val("c"), "Y y");
  EXPECT_EQ(val("d"), "p");
  EXPECT_EQ(val("e"), "t");
  EXPECT_EQ(val("f"), "");
  EXPECT_EQ(val("g"), "");
}

// --- neighbours
// -------------------------------------------------------------------------------------------------

TEST(Element, KnowsItsNeighbours) {
  EXPECT_EQ(id(by_id("c").parent()), "b");
  EXPECT_EQ(by_id("c").parents().size(), 4u);
  EXPECT_EQ(ids(by_id("a").children()), "b d e");
  EXPECT_EQ(id(by_id("a").child("ul")), "e");
  EXPECT_EQ(id(by_id("a").child("li")), "none");
  EXPECT_EQ(id(by_id("b").next()), "d");
  EXPECT_EQ(id(by_id("d").prev()), "b");
  EXPECT_EQ(id(by_id("b").prev()), "none");
  EXPECT_EQ(id(by_id("e").next()), "none");
  EXPECT_EQ(ids(by_id("d").siblings()), "b e");
  EXPECT_FALSE(tree().root()->parent());
  EXPECT_FALSE(tree().root()->next());
}

TEST(Element, FindsWhatMatchesAroundIt) {
  EXPECT_EQ(id(by_id("c").closest("div")), "a");
  EXPECT_EQ(id(by_id("c").closest("b")), "c");
  EXPECT_EQ(id(by_id("c").closest("ul")), "none");
  EXPECT_TRUE(by_id("c").matches("div > p b"));
  EXPECT_FALSE(by_id("c").matches("ul b"));
  EXPECT_EQ(ids(by_id("a").select("p")), "b d");
  EXPECT_EQ(id(by_id("a").select_one("li:last-child")), "h");
}

TEST(Element, FindsByNameIdClassAttributeAndText) {
  EXPECT_EQ(ids(tree().find_all("p")), "b d j");
  EXPECT_EQ(id(tree().find("li")), "f");
  EXPECT_EQ(id(tree().find({.id = "nosuch"})), "none");
  EXPECT_EQ(ids(tree().find_all({.class_name = "two"})), "a");
  EXPECT_EQ(ids(tree().find_all({.attribute = "title"})), "d");
  EXPECT_EQ(ids(tree().find_all({.attribute = "title", .value = "t"})), "");
  EXPECT_EQ(ids(tree().find_all({.name = "P", .contains = "z"})), "b");
  EXPECT_EQ(ids(by_id("a").find_all("p")), "b d");
  EXPECT_EQ(id(by_id("e").find({.contains = "2"})), "g");
}

// BeautifulSoup's ways of the hotel pages: find(id=…).findAll("dl")[1].find("dd").text, .h1.text, ["href"]
TEST(Element, ReadsADetailPage) {
  const auto page = html::parse(
      "<div id=div_info><dl><dt>a<dd>1</dl><dl><dt>b<dd>2<dd>3</dl></div><div id=box><h1>Inn</h1></div>"
      "<div id=comImgList><a href=/p/1>x</a></div><input id=txt_HotelId value=77>");
  EXPECT_EQ(page.find({.id = "div_info"})->find_all("dl")[1].find("dd")->text(), "2");
  EXPECT_EQ(page.find({.id = "box"})->child("h1")->text(), "Inn");
  EXPECT_EQ(page.find({.id = "comImgList"})->find("a")->attr("href"), "/p/1");
  EXPECT_EQ(page.find({.id = "txt_HotelId"})->val(), "77");
}

// --- sets
// -------------------------------------------------------------------------------------------------------

TEST(Elements, AreASetInTheOrderOfThePage) {
  const auto all = tree().select("p, div, p");
  EXPECT_EQ(ids(all), "a b d i j");
  EXPECT_EQ(ids(all.parent()), "a i");  // body has no id
  EXPECT_EQ(all.parent().size(), 3u);
  EXPECT_EQ(ids(all.children()), "b c d e j");
  EXPECT_EQ(ids(all.filter("p")), "b d j");
  EXPECT_EQ(ids(all.not_("p")), "a i");
  EXPECT_EQ(ids(all.next()), "d e i");
  EXPECT_EQ(ids(all.prev()), "a b");
  EXPECT_EQ(ids(all.select("li, b")), "c f g h");
  EXPECT_EQ(ids(all.find_all("b")), "c");
  EXPECT_EQ(ids(all.closest("div")), "a i");
  EXPECT_EQ(ids(tree().select("#f, #g").siblings()), "f g h");
  EXPECT_EQ(ids(tree().select("#f").siblings()), "g h");
  EXPECT_EQ(tree().select("#f, #c").parents().size(), 5u);
}

TEST(Elements, GiveSingleOnes) {
  const auto items = tree().select("li");
  EXPECT_EQ(id(items.first()), "f");
  EXPECT_EQ(id(items.last()), "h");
  EXPECT_EQ(id(items.eq(1)), "g");
  EXPECT_EQ(id(items.eq(-2)), "g");
  EXPECT_EQ(id(items.eq(3)), "none");
  EXPECT_EQ(id(items.eq(-4)), "none");
  EXPECT_EQ(items.attr("id"), "f");
  EXPECT_EQ(items.attrs("id").size(), 3u);
  EXPECT_EQ(items[1], by_id("g"));
}

TEST(Elements, OfNothingAreNothing) {
  for (const auto& none : {html::Elements(), tree().select("h6")}) {
    EXPECT_TRUE(none.empty());
    EXPECT_FALSE(none.first());
    EXPECT_FALSE(none.attr("id"));
    EXPECT_TRUE(none.select("p").empty());
    EXPECT_TRUE(none.filter("p").empty());
    EXPECT_TRUE(none.closest("p").empty());
    EXPECT_TRUE(none.parents().empty());
    EXPECT_TRUE(none.siblings().empty());
    EXPECT_TRUE(none.not_("p").empty());
    EXPECT_EQ(none.text(), "");
  }
}

}  // namespace

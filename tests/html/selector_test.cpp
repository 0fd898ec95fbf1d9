// SPDX-License-Identifier: MIT
#include <eddy/html.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace {

namespace html = eddy::html;

// Ids of what `css` finds, in order.
std::string ids(const html::Document& document, std::string_view css) {
  std::string text;
  for (const auto& element : document.select(css))
    text += (text.empty() ? "" : " ") + std::string(element.id());
  return text;
}

std::string ids(std::string_view page, std::string_view css) { return ids(html::parse(page), css); }

std::string error_of(std::string_view css) {
  try {
    html::Selector selector(css);
  } catch (const html::SelectorError& error) {
    return error.what();
  }
  return "no error";
}

const html::Document& tree() {
  static const auto document = html::parse(
      "<div id=a class='x y'><p id=b class=x>one <b id=c>two</b></p><p id=d>three</p>"
      "<ul id=e><li id=f class=x></li><li id=g>4</li><li id=h class=x>5<i id=i></i></li></ul></div><p id=j "
      "class=y>two</p>");
  return document;
}

TEST(Selector, TheLastTextsAreCompiledOnce) {
  const html::Selector first("dd > a");
  EXPECT_EQ(&html::Selector("dd > a").text(), &first.text());
  std::thread([&] { EXPECT_NE(&html::Selector("dd > a").text(), &first.text()); }).join();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(html::Selector(".c" + std::to_string(i)).text(), ".c" + std::to_string(i));
  EXPECT_NE(&html::Selector("dd > a").text(), &first.text());
  EXPECT_EQ(first.text(), "dd > a");
  const std::string longest(256, 'a'), too_long(257, 'a');
  EXPECT_EQ(&html::Selector(longest).text(), &html::Selector(longest).text());
  const html::Selector unkept(too_long);
  EXPECT_NE(&html::Selector(too_long).text(), &unkept.text());
}

TEST(Selector, IsAndWhereTakeListsAndKeepWhatStandsBeforeThem) {
  EXPECT_EQ(ids(tree(), "p:is(.x, .y)"), "b j");
  EXPECT_EQ(ids(tree(), ":where(p, li).x"), "b f h");
  EXPECT_EQ(ids(tree(), "div :is(p, li):is(.x)"), "b f h");
  EXPECT_EQ(ids(tree(), ":is(div > p, ul > li:last-child)"), "b d h");
  EXPECT_EQ(ids(tree(), "li:matches(.x)"), "f h");
}

TEST(Selector, NotTakesLists) {
  EXPECT_EQ(ids(tree(), "p:not(.x, #j)"), "d");
  EXPECT_EQ(ids(tree(), "li:not(ul > .x)"), "g");
  EXPECT_EQ(ids(tree(), "p:not(:contains('two'))"), "d");
}

TEST(Selector, HasLooksDownAndBehind) {
  EXPECT_EQ(ids(tree(), "p:has(b)"), "b");
  EXPECT_EQ(ids(tree(), "div:has(> p)"), "a");
  EXPECT_EQ(ids(tree(), "div:has(> b)"), "");
  EXPECT_EQ(ids(tree(), "p:has(+ ul)"), "d");
  EXPECT_EQ(ids(tree(), "p:has(~ ul, b)"), "b d");
  EXPECT_EQ(ids(tree(), "div:has(ul .x i)"), "a");
  EXPECT_EQ(ids(tree(), "ul:has(div i)"), "");  // the <div> would have to be inside the <ul>
  EXPECT_EQ(ids(tree(), "li:not(:has(*))"), "f g");
  EXPECT_EQ(ids(tree(), "div:has(li:has(i))"), "a");
}

TEST(Selector, NthChildCountsAmongThoseOfItsList) {
  EXPECT_EQ(ids(tree(), "li:nth-child(2 of .x)"), "h");
  EXPECT_EQ(ids(tree(), "li:nth-last-child(1 of .x)"), "h");
  EXPECT_EQ(ids(tree(), ":nth-child(odd of p, ul)"), "b e j");
  EXPECT_EQ(ids(tree(), "li:nth-child(-n+2)"), "f g");
  EXPECT_EQ(ids(tree(), "p:nth-last-of-type(1)"), "d j");
  EXPECT_EQ(ids(tree(), "*:only-of-type:not(html, body)"), "a c e i j");
}

TEST(Selector, AttributesMayIgnoreCase) {
  const auto* page = "<a id=a title=Foo><a id=b title=foo><a id=c TITLE='x foo-bar'>";
  EXPECT_EQ(ids(page, "[title=foo]"), "b");
  EXPECT_EQ(ids(page, "[title=FOO i]"), "a b");
  EXPECT_EQ(ids(page, "[title='foo' s]"), "b");
  EXPECT_EQ(ids(page, "[TITLE*=O-B i]"), "c");
  EXPECT_EQ(ids(page, "[title~='foo-bar']"), "c");
}

TEST(Selector, NamesMayBeEscaped) {
  const auto* page = "<p id=1a class='a:b c.d'></p><o:p id=x svg:k=1></o:p><p id='ü中'></p>";
  EXPECT_EQ(ids(page, "#\\31 a"), "1a");
  EXPECT_EQ(ids(page, "#1a"), "1a");
  EXPECT_EQ(ids(page, ".a\\:b.c\\.d"), "1a");
  EXPECT_EQ(ids(page, ".a\\00003Ab"), "1a");
  EXPECT_EQ(ids(page, "#ü中"), "ü中");
  EXPECT_EQ(ids(page, "#\\fc \\4e2d"), "ü中");
}

TEST(Selector, PrefixesAreThoseWrittenInThePage) {
  const auto* page = "<p id=a></p><o:p id=b x:k=1></o:p>";
  EXPECT_EQ(ids(page, "o\\:p"), "b");
  EXPECT_EQ(ids(page, "o|p"), "b");
  EXPECT_EQ(ids(page, "o|*"), "b");
  EXPECT_EQ(ids(page, "*|p"), "a b");
  EXPECT_EQ(ids(page, "|p"), "a");
  EXPECT_EQ(ids(page, "[x|k]"), "b");
  EXPECT_EQ(ids(page, "[*|k='1']"), "b");
}

TEST(Selector, EmptyMeansNoElementAndNoText) {
  EXPECT_EQ(ids("<p id=a></p><p id=b><!-- c --></p><p id=c> </p><p id=d><br></p>", "p:empty"), "a b");
}

TEST(Selector, FormsKnowWhatIsDisabled) {
  const auto* page =
      "<fieldset disabled id=f><legend><input id=a></legend><input id=b><legend><input "
      "id=c></legend></fieldset>"
      "<select id=s><optgroup disabled id=g><option id=o></optgroup><option id=p selected></select><input "
      "id=d type=Text "
      "required><input type=checkbox checked id=e><a href=x id=l></a><area id=m>";
  EXPECT_EQ(ids(page, ":disabled"), "f b c g o");
  EXPECT_EQ(ids(page, ":enabled"), "a s p d e");
  EXPECT_EQ(ids(page, ":checked"), "p e");
  EXPECT_EQ(ids(page, ":required"), "d");
  EXPECT_EQ(ids(page, ":text"), "d");
  EXPECT_EQ(ids(page, "body :any-link"), "l");
}

TEST(Selector, PositionsCountWhatWasFound) {
  const auto* page = "<ul><li id=a><li id=b></ul><ul><li id=c>x<li id=d>x</ul>";
  EXPECT_EQ(ids(page, "li:first"), "a");
  EXPECT_EQ(ids(page, "li:last"), "d");
  EXPECT_EQ(ids(page, "li:odd"), "b d");
  EXPECT_EQ(ids(page, "li:eq(2)"), "c");
  EXPECT_EQ(ids(page, "li:gt(0):lt(3)"), "b c");
  EXPECT_EQ(ids(page, "ul li:first"), "a c");  // after a combinator: of each parent, as in pyquery
  EXPECT_EQ(ids(page, "ul:last li"), "c d");
  EXPECT_EQ(ids(page, "li:contains('x'):first"), "c");
  EXPECT_EQ(ids(page, "li:first, li:last"), "a d");
}

TEST(Selector, ScopeIsWhereTheSearchBegan) {
  const auto ul = *tree().select_one("ul");
  EXPECT_EQ(ul.select(":scope > li").size(), 3u);
  EXPECT_EQ(ul.select(":scope li i").size(), 1u);
  EXPECT_EQ(ul.select("div li i").size(), 1u);  // what lies outside counts, as in the DOM
  EXPECT_EQ(ul.select("ul").size(), 0u);
  EXPECT_TRUE(ul.matches(":scope"));
  EXPECT_EQ(tree().select(":scope").text(), tree().text());
  EXPECT_EQ(tree().select("p, ul").select(":scope > *").size(), 4u);
}

TEST(Selector, MayBeUsedForManyPages) {
  const html::Selector selector("b > i");
  EXPECT_EQ(selector.text(), "b > i");
  EXPECT_EQ(html::parse("<b><i>1</i></b>").select(selector).text(), "1");
  EXPECT_EQ(html::parse("<i>2</i>").select(selector).size(), 0u);
}

TEST(SelectorError, PointsAtThePlace) {
  EXPECT_EQ(error_of("dd >"),
            "selector 'dd >' at 4: expected a selector after '>', got the end\n"
            "  dd >\n"
            "      ^");
  EXPECT_EQ(error_of("中文 > > a"),
            "selector '中文 > > a' at 9: expected a selector after '>', got '>'\n"
            "  中文 > > a\n"
            "       ^");
  const auto far = std::string(100, 'a') + " ! " + std::string(100, 'b');
  EXPECT_EQ(error_of(far), "selector '…" + std::string(39, 'a') + " ! " + std::string(38, 'b') +
                               "…' at 101: expected a selector, got '!'\n  …" + std::string(39, 'a') + " ! " +
                               std::string(38, 'b') + "…\n  " + std::string(41, ' ') + "^");
  try {
    html::Selector selector("a:hovr");
    FAIL();
  } catch (const html::SelectorError& error) {
    EXPECT_EQ(error.offset(), 2u);
    EXPECT_EQ(error.problem(), "no pseudo-class is called ':hovr'");
    EXPECT_EQ(error.hint(), "did you mean ':hover'?");
  }
}

// The first line without the selector, and the hint.
std::string problem_of(std::string_view css) {
  try {
    html::Selector selector(css);
  } catch (const html::SelectorError& error) {
    return std::to_string(error.offset()) + ": " + error.problem() +
           (error.hint().empty() ? "" : "; " + error.hint());
  }
  return "no error";
}

TEST(SelectorError, NamesTheRuleAndTheLikelySlip) {
  const std::string pseudo_element =
      "pseudo-elements select no element; take the element and ask it for text() or attr()";
  const std::vector<std::pair<std::string, std::string>> expected{
      {"", "0: expected a selector, got the end"},
      {"a,", "2: expected a selector after ',', got the end"},
      {", a", "0: expected a selector, got ','"},
      {"a)", "1: unexpected ')'; there is one ')' too many"},
      {"//div/a",
       "0: expected a selector, got '/'; this looks like XPath; CSS writes 'div > a' for '//div/a'"},
      {"a.", "2: expected a class name after '.', got the end"},
      {".1a", "1: expected a class name after '.', got '1'; a name cannot begin with a digit; write '\\31 '"},
      {"#", "1: expected an id after '#', got the end"},
      {"a[href", "1: a '[' that is not closed; ']' closes it"},
      {"a[href=", "7: expected a value, got the end; a value that is no name needs quotes: [name='value']"},
      {"a[href=/x]", "7: expected a value, got '/'; a value that is no name needs quotes: [name='value']"},
      {"a[href=a.html]",
       "8: expected ']', got '.'; a value with other characters than letters, digits, '-' and '_' needs "
       "quotes"},
      {"a[@href]",
       "2: expected an attribute name, got '@'; CSS has no '@' in front of attribute names: [href]"},
      {"a[href?=x]", "6: expected ']' or one of = != ~= |= ^= $= *=, got '?'"},
      {"a[*]", "3: expected an attribute name, got '*'"},
      {"a['x']", "2: expected an attribute name, got '''"},
      {"[a='b]", "3: a string that is not closed; ' closes it"},
      {"[a='b\n']", "5: a line break inside a string; write it as '\\A '"},
      {"a /* b", "2: a comment that is not closed; '*/' closes it"},
      {"a::text", "1: '::text' is a pseudo-element; " + pseudo_element},
      {"p:before", "2: ':before' is a pseudo-element; " + pseudo_element},
      {"a:attr(href)", "2: ':attr' is a pseudo-element; " + pseudo_element},
      {"a:", "2: expected a name after ':', got the end"},
      {"a:qwertyuiop", "2: no pseudo-class is called ':qwertyuiop'"},
      {"li:first-chlid", "3: no pseudo-class is called ':first-chlid'; did you mean ':first-child'?"},
      {"li:nth-chil(2)", "3: no pseudo-class is called ':nth-chil()'; did you mean ':nth-child'?"},
      {"li:nth-child", "12: ':nth-child' needs an argument: ':nth-child(…)'"},
      {"li:root(2)", "7: ':root' takes no argument"},
      {"li:nth-child(x)", "13: expected 'odd', 'even', a number or something like 2n+1, got 'x'"},
      {"li:nth-child(2n+)", "16: expected a number after the sign, got ')'"},
      {"li:nth-child(2nof a)", "15: expected ')', got 'o'"},
      {"li:nth-of-type(2n of a)", "18: expected ')', got 'o'"},
      {"li:nth-child(99999999999)", "13: a number above 2147483647"},
      {"li:not(a", "6: a '(' that is not closed; ')' closes it"},
      {"li:not()", "7: expected a selector after '(', got ')'"},
      {"li:eq(-1)", "6: an index from the end; select() and then take Elements::eq(-1)"},
      {"li:eq(x)", "6: expected a number, counted from 0, for ':eq', got 'x'"},
      {"li:contains(a b)", "14: expected ')', got 'b'; more than one word needs quotes"},
      {"li:contains(1)", "12: expected a string, got '1'"},
      {"li:not(:first)",
       "7: a pseudo-class that counts the elements found cannot stand inside another; ':first' and its like "
       "belong to "
       "the outermost selector"},
      {"a = b", "2: expected a selector, got '='; attributes are tested in brackets: [name='value']"},
      {"a\\", "1: unexpected '\\'"},
      {"a:\\1b \xFF[31m", "2: no pseudo-class is called ': \uFFFD'"},
      {std::string("a:\0", 3), "2: expected a name after ':', got '\\x00'"},
      {":not(:not(:not(:not(:not(:not(:not(:not(:not(a)))))))))",
       "41: more than 8 functions inside each other"},
  };
  for (const auto& [css, problem] : expected) EXPECT_EQ(problem_of(css), problem) << css;
}

TEST(SelectorError, SizesAreLimited) {
  EXPECT_EQ(problem_of(std::string(16385, 'a')), "16384: 16385 bytes, the limit is 16384");
  std::string row = "a";
  for (int i = 0; i < 64; ++i) row += " a";
  EXPECT_EQ(problem_of(row), "128: more than 64 compound selectors in a row");
}

TEST(SelectorError, CountingPseudoClassesNeedManyElements) {
  const auto p = *tree().select_one("p");
  try {
    (void)p.matches("p:first");
    FAIL();
  } catch (const html::SelectorError& error) {
    EXPECT_STREQ(error.what(),
                 "selector 'p:first' at 0: a pseudo-class that counts the elements found, where one element "
                 "is tested\n"
                 "  p:first\n"
                 "  ^\n"
                 "Elements::first(), last() and eq() take one of many");
  }
}

// --- time
// -------------------------------------------------------------------------------------------------------

double seconds(const html::Document& document, std::string_view css) {
  const auto start = std::chrono::steady_clock::now();
  (void)document.select(css);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Each would take minutes if an element were compared with every ancestor or sibling of its own.
TEST(SelectorTime, IsLinearInThePage) {
  std::string flat, deep, mixed;
  for (int i = 0; i < 60'000; ++i) flat += "<b></b>";
  for (int i = 0; i < 60'000; ++i) mixed += i % 2 ? "<i></i>" : "<b></b>";
  for (int chunk = 0; chunk < 100; ++chunk) {
    for (int i = 0; i < 500; ++i) deep += "<b>";
    for (int i = 0; i < 500; ++i) deep += "</b>";
  }
  const auto wide = html::parse("<div>" + flat + "</div>"), mix = html::parse(mixed),
             tall = html::parse(deep);
  for (const auto* css : {"i ~ b ~ b ~ b ~ b", "b ~ b ~ b ~ i", "b:nth-last-of-type(3n+1)", "b:has(~ i)",
                          "b:has(+ b ~ i)", "b:nth-child(3n of b + b)", "b:contains('x')", "b:eq(5) ~ b:last",
                          "b:not(b ~ b ~ b)", "b:only-of-type", "b:lang(en)"}) {
    EXPECT_LT(seconds(wide, css), 3) << css;
    EXPECT_LT(seconds(mix, css), 3) << css;
  }
  for (const auto* css :
       {"i b b b b b b b b b b b b", "b > b b > b b > b b > b i", "b:has(i)", "b:has(b b b b i)",
        ":not(i b) b b :not(i b) b", "b:has(b:has(b:has(i)))", "b:contains('x')"}) {
    EXPECT_LT(seconds(tall, css), 3) << css;
  }
}

TEST(SelectorTime, OfSetsIsLinearToo) {
  std::string rows;
  for (int i = 0; i < 20'000; ++i) rows += "<p><b><i></i></b></p>";
  const auto document = html::parse(rows);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(document.select("p").select("b i").size(), 20'000u);
  EXPECT_EQ(document.select("p").filter("body p").size(), 20'000u);
  EXPECT_EQ(document.select("i").closest("body p").size(), 20'000u);
  EXPECT_EQ(document.select("p").siblings().size(), 20'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace

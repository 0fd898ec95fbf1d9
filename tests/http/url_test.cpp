// SPDX-License-Identifier: MIT
#include <eddy/http/url.hpp>

#include <eddy/http/percent.hpp>
#include <gtest/gtest.h>

#include <unordered_set>

#include "http/url_cases.hpp"

namespace eddy::http {
namespace {

std::string href(std::string_view input, std::string_view base) {
  const auto url = base.empty() ? Url::parse(input) : Url(base).try_join(input);
  return url ? url->str() : "";
}

std::string error_of(std::string_view text) {
  try {
    Url url(text);
    return "no error";
  } catch (const UrlError& e) {
    EXPECT_EQ(e.text(), text);
    return e.what();
  }
}

TEST(Url, ReadsWhatTheStandardSays) {
  for (const auto& c : test::kUrlCases)
    EXPECT_EQ(href(c.input, c.base), c.href) << "'" << c.input << "' on '" << c.base << "'";
}

TEST(Url, TheNormalFormIsItsOwnNormalForm) {
  for (const auto& c : test::kUrlCases) {
    if (c.href.empty()) continue;
    EXPECT_EQ(href(c.href, ""), c.href);
  }
}

TEST(Url, HasParts) {
  const Url url("https://user:secret@example.org:8443/a/b?x=1&y#top");
  EXPECT_EQ(url.scheme(), "https");
  EXPECT_EQ(url.username(), "user");
  EXPECT_EQ(url.password(), "secret");
  EXPECT_EQ(url.host(), "example.org");
  EXPECT_EQ(url.port(), 8443);
  EXPECT_EQ(url.authority(), "example.org:8443");
  EXPECT_EQ(url.path(), "/a/b");
  EXPECT_EQ(url.query(), "x=1&y");
  EXPECT_EQ(url.fragment(), "top");
  EXPECT_EQ(url.target(), "/a/b?x=1&y");
  EXPECT_EQ(url.origin(), "https://example.org:8443");
  EXPECT_TRUE(url.is_http());
  EXPECT_TRUE(url.is_secure());
}

TEST(Url, PartsThatAreNotThereAreEmpty) {
  const Url url("ws://example.org");
  EXPECT_EQ(url.username(), "");
  EXPECT_EQ(url.password(), "");
  EXPECT_EQ(url.query(), "");
  EXPECT_EQ(url.fragment(), "");
  EXPECT_EQ(url.port(), 80);
  EXPECT_EQ(url.authority(), "example.org");
  EXPECT_EQ(url.target(), "/");
  EXPECT_FALSE(url.is_http());
}

TEST(Url, OriginsOfOtherSchemesAreNull) {
  EXPECT_EQ(Url("file:///x").origin(), "null");
  EXPECT_EQ(Url("data:x").origin(), "null");
  EXPECT_EQ(Url("http://[::1]:80/").origin(), "http://[::1]");
}

TEST(Url, IsMadeFromAnyText) {
  const std::string text = "http://example.org/";
  const Url from_string = text, from_literal = "http://example.org/", from_view = std::string_view(text);
  EXPECT_EQ(from_string, from_literal);
  EXPECT_EQ(from_literal, from_view);
}

TEST(Url, WithQueryAddsOnePair) {
  const Url url("http://example.org/#f");
  EXPECT_EQ(url.with_query("q", "a b&c").query(), "q=a+b%26c");
  EXPECT_EQ(url.with_query("q", "a b&c").str(), "http://example.org/?q=a+b%26c#f");
  EXPECT_EQ(url.with_query("a", "1").with_query("b", "\xc3\xa9").query(), "a=1&b=%C3%A9");
  EXPECT_EQ(Url("http://e/?").with_query("a", "").str(), "http://e/?a=");
}

TEST(Url, LosesPartsOnRequest) {
  const Url url("http://u:p@example.org:8080/a?q#f");
  EXPECT_EQ(url.without_fragment().str(), "http://u:p@example.org:8080/a?q");
  EXPECT_EQ(url.without_query().str(), "http://u:p@example.org:8080/a#f");
  EXPECT_EQ(url.without_query().fragment(), "f");
  EXPECT_EQ(url.without_credentials().str(), "http://example.org:8080/a?q#f");
  EXPECT_EQ(url.without_credentials().target(), "/a?q");
  EXPECT_EQ(url.without_credentials().authority(), "example.org:8080");
}

TEST(Url, ComparesAndHashesByText) {
  const std::unordered_set<Url> seen{"http://e/a", "http://e:80/a", "HTTP://E/b/../a"};
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_LT(Url("http://e/a"), Url("http://e/b"));
}

TEST(Url, JoinedUrlsSurviveTheirBase) {
  const Url next = Url("http://u:p@example.org/a/b?c").join("d?e#f");
  EXPECT_EQ(next.str(), "http://u:p@example.org/a/d?e#f");
  EXPECT_EQ(next.password(), "p");
}

TEST(UrlError, NamesTextRuleAndPlace) {
  EXPECT_EQ(error_of("example.org"),
            "bad URL 'example.org': it has no scheme and there is no base to resolve it against, at byte 0");
  EXPECT_EQ(error_of("http://a b/"),
            "bad URL 'http://a b/': the host holds a character that no host may hold, at byte 7");
  EXPECT_EQ(error_of("http://e:8x/"), "bad URL 'http://e:8x/': the port is not a number, at byte 10");
  EXPECT_EQ(error_of("http://e:70000/"), "bad URL 'http://e:70000/': the port is above 65535, at byte 9");
  EXPECT_EQ(error_of("http:///"), "bad URL 'http:///': the host is empty, at byte 8");
  EXPECT_EQ(error_of("http://u@/"), "bad URL 'http://u@/': there is no host behind the user name, at byte 9");
  EXPECT_EQ(error_of("http://[1]/"),
            "bad URL 'http://[1]/': the host in brackets is no IPv6 address, at byte 7");
  EXPECT_EQ(error_of("http://1.2.3.256/"),
            "bad URL 'http://1.2.3.256/': the host ends in a number but is no IPv4 address, at byte 7");
  EXPECT_EQ(error_of("http://xn--a/"),
            "bad URL 'http://xn--a/': the host is no valid internationalised domain name, at byte 7");
}

TEST(UrlError, CountsBytesOfTheTextAsGiven) {
  EXPECT_EQ(error_of(" \nhttp://e:\t8x/"),
            "bad URL ' \\x0ahttp://e:\\x098x/': the port is not a number, at byte 13");
}

TEST(UrlError, AppearsForReferencesThatCannotBeResolved) {
  EXPECT_THROW(Url("mailto:a").join("x"), UrlError);
  EXPECT_THROW(Url("http://e/").join("http://a b"), ValueError);
}

TEST(Url, OfMoreThanOneMebibyteIsRefused) {
  const std::string longest = "http://e/" + std::string((1 << 20) - 9, 'a');
  EXPECT_EQ(Url(longest).path().size(), (1u << 20) - 8);
  EXPECT_FALSE(Url::parse(longest + "a"));
}

TEST(Percent, DecodesAndEncodes) {
  EXPECT_EQ(percent_decode("a%20b%2f%zz%4"), "a b/%zz%4");
  EXPECT_EQ(percent_decode("a%41"), "aA");
  EXPECT_EQ(percent_decode("a%4"), "a%4");
  EXPECT_EQ(percent_encode("a b/c-._~!*'()"), "a%20b%2Fc-._~%21%2A%27%28%29");
  EXPECT_EQ(form_encode("a b*-._~!"), "a+b*-._%7E%21");
}

TEST(Percent, FormsAreReadBack) {
  const auto pairs = parse_form("a=1&&b=x+y%26&c&=d&e=f=g");
  std::string text;
  for (const auto& [name, value] : pairs) text += name + ":" + value + ";";
  EXPECT_EQ(text, "a:1;b:x y&;c:;:d;e:f=g;");
}

}  // namespace
}  // namespace eddy::http

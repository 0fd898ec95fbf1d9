// SPDX-License-Identifier: MIT
#include <eddy/http/cookies.hpp>

#include <gtest/gtest.h>

#include "http/error_of.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

constexpr sys_seconds kNow = sys_days(year(2025) / 6 / 1);

std::string read(std::string_view field) {
  const auto c = parse_set_cookie(field);
  if (!c) return "none";
  std::string text = c->name + "=" + c->value;
  if (!c->domain.empty()) text += " domain " + c->domain;
  if (!c->path.empty()) text += " path " + c->path;
  if (c->expires) text += " expires " + std::to_string(c->expires->time_since_epoch().count());
  if (c->max_age) text += " age " + std::to_string(c->max_age->count());
  if (c->secure) text += " secure";
  if (c->http_only) text += " http-only";
  if (c->same_site != SameSite::unset) text += " same-site " + std::to_string(static_cast<int>(c->same_site));
  return text;
}

TEST(SetCookie, IsReadWithItsAttributes) {
  EXPECT_EQ(read("a=1"), "a=1");
  EXPECT_EQ(read(" a = b c ; Secure; httponly"), "a=b c secure http-only");
  EXPECT_EQ(read("a=1; Domain=.Example.ORG; Path=/x; SameSite=Lax; Max-Age=60"),
            "a=1 domain example.org path /x age 60 same-site 2");
  EXPECT_EQ(read("a=b=c; unknown=1; ;;"), "a=b=c");
  EXPECT_EQ(read("a="), "a=");
  EXPECT_EQ(read("a=\"q\""), "a=\"q\"");
  EXPECT_EQ(read("a=1; path=relative"), "a=1");
  EXPECT_EQ(read("a=1; max-age=-5"), "a=1 age -1");
  EXPECT_EQ(read("a=1; max-age=1x"), "a=1");
  EXPECT_EQ(read("a=1; max-age=99999999999999999999"), "a=1 age 34560000");
}

TEST(SetCookie, DatesAreReadInEveryFormServersSend) {
  for (auto date :
       {"Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21-Oct-15 07:28:00 GMT", "Wed Oct 21 07:28:00 2015",
        "21 oct 2015 7:28:0", "07:28:00 2015-Oct-21", "Wed, 21 October 2015 07:28:00 UTC"})
    EXPECT_EQ(read(std::string("a=1; Expires=") + date), "a=1 expires 1445412480") << date;
  for (auto date :
       {"soon", "31 Feb 2015 07:28:00", "21 Oct 2015", "21 Oct 1500 07:28:00", "21 Oct 2015 25:00:00"})
    EXPECT_EQ(read(std::string("a=1; Expires=") + date), "a=1") << date;
}

TEST(SetCookie, WithoutAPairOrWithControlCharactersSetsNothing) {
  for (auto field : {"", "a", "=b", ";a=b", "a; b=c", "a=\x01"}) EXPECT_EQ(read(field), "none") << field;
  EXPECT_EQ(read("a=" + std::string(4096, 'x')), "none");
}

TEST(SetCookie, IsWrittenAndReadBack) {
  const Cookie cookie{.name = "sid", .value = "abc", .domain = "example.org", .path = "/", .expires = kNow,
                      .max_age = 60s, .secure = true, .http_only = true, .same_site = SameSite::strict};
  EXPECT_EQ(write_set_cookie(cookie),
            "sid=abc; Domain=example.org; Path=/; Expires=Sun, 01 Jun 2025 00:00:00 GMT; Max-Age=60; Secure; "
            "HttpOnly; "
            "SameSite=Strict");
  EXPECT_EQ(read(write_set_cookie(cookie)),
            "sid=abc domain example.org path / expires 1748736000 age 60 secure http-only same-site 3");
}

TEST(SetCookie, WhatWouldBreakOutIsRefused) {
  const auto error = [](Cookie cookie) {
    return test::error_of<ValueError>([&] { write_set_cookie(cookie); });
  };
  EXPECT_EQ(error({.name = "a b", .value = ""}), "cookie name 'a b' is not a token");
  EXPECT_EQ(error({.name = "a", .value = "x;y"}), "cookie value of 'a' holds ';' at byte 1");
  EXPECT_EQ(error({.name = "a", .value = "x\r\ny"}), "cookie value of 'a' holds '\\x0d' at byte 1");
  EXPECT_EQ(error({.name = "a", .value = "x", .path = "/;"}), "cookie path of 'a' holds ';' at byte 1");
  EXPECT_EQ(error({.name = "a", .value = "x", .domain = "b;c"}), "cookie domain of 'a' holds ';' at byte 1");
}

TEST(Cookies, AreReadFromARequest) {
  std::string text;
  for (const auto& [name, value] : parse_cookies("a=1; b=\"2 3\";c=x=y; rubbish; =z; d="))
    text += std::string(name) + "=" + std::string(value) + "|";
  EXPECT_EQ(text, "a=1|b=2 3|c=x=y|d=|");
}

// What a jar that stored `field` from `from` sends to `to`.
std::string sent(std::string_view from, std::string_view field, std::string_view to,
                 sys_seconds later = kNow) {
  CookieJar jar;
  jar.store(Url(from), field, kNow);
  return jar.field_for(Url(to), later);
}

TEST(CookieJar, ACookieWithoutDomainGoesBackToItsHostOnly) {
  EXPECT_EQ(sent("http://a.example.org/", "x=1", "http://a.example.org/"), "x=1");
  EXPECT_EQ(sent("http://a.example.org/", "x=1", "http://b.a.example.org/"), "");
  EXPECT_EQ(sent("http://a.example.org/", "x=1", "http://example.org/"), "");
  EXPECT_EQ(sent("http://a.example.org/", "x=1", "http://a.example.org:8080/"), "x=1");
}

TEST(CookieJar, ADomainIncludesItsSubdomains) {
  EXPECT_EQ(sent("http://a.example.org/", "x=1; domain=example.org", "http://b.example.org/"), "x=1");
  EXPECT_EQ(sent("http://a.example.org/", "x=1; domain=example.org", "http://example.org/"), "x=1");
  EXPECT_EQ(sent("http://a.example.org/", "x=1; domain=example.org", "http://notexample.org/"), "");
  EXPECT_EQ(sent("http://a.example.org/", "x=1; domain=b.example.org", "http://b.example.org/"), "");
  EXPECT_EQ(sent("http://example.org/", "x=1; domain=a.example.org", "http://a.example.org/"), "");
}

TEST(CookieJar, PublicSuffixesAreRefused) {
  EXPECT_EQ(sent("http://a.com/", "x=1; domain=com", "http://a.com/"), "");
  EXPECT_EQ(sent("http://a.co.uk/", "x=1; domain=co.uk", "http://b.co.uk/"), "");
  EXPECT_EQ(sent("http://a.co.uk/", "x=1; domain=a.co.uk", "http://b.a.co.uk/"), "x=1");
  EXPECT_EQ(sent("http://localhost/", "x=1; domain=localhost", "http://localhost/"), "x=1");
}

TEST(CookieJar, AddressesHaveNoSubdomains) {
  EXPECT_EQ(sent("http://127.0.0.1/", "x=1; domain=127.0.0.1", "http://127.0.0.1/"), "x=1");
  EXPECT_EQ(sent("http://127.0.0.1/", "x=1; domain=0.0.1", "http://127.0.0.1/"), "");
  EXPECT_EQ(sent("http://[::1]/", "x=1", "http://[::1]/"), "x=1");
}

TEST(CookieJar, PathsAreMatchedByWholeSegments) {
  EXPECT_EQ(sent("http://e.org/a/b", "x=1", "http://e.org/a/c"), "x=1");
  EXPECT_EQ(sent("http://e.org/a/b", "x=1", "http://e.org/"), "");
  EXPECT_EQ(sent("http://e.org/", "x=1; path=/a", "http://e.org/a"), "x=1");
  EXPECT_EQ(sent("http://e.org/", "x=1; path=/a", "http://e.org/a/b"), "x=1");
  EXPECT_EQ(sent("http://e.org/", "x=1; path=/a", "http://e.org/ab"), "");
  EXPECT_EQ(sent("http://e.org/", "x=1; path=/a/", "http://e.org/a/b"), "x=1");
}

TEST(CookieJar, SecureCookiesNeedHttps) {
  EXPECT_EQ(sent("https://e.org/", "x=1; secure", "https://e.org/"), "x=1");
  EXPECT_EQ(sent("https://e.org/", "x=1; secure", "http://e.org/"), "");
  EXPECT_EQ(sent("http://e.org/", "x=1; secure", "https://e.org/"), "");
  EXPECT_EQ(sent("https://e.org/", "x=1; secure", "wss://e.org/"), "x=1");
}

TEST(CookieJar, HttpCannotReplaceASecureCookie) {
  CookieJar jar;
  EXPECT_TRUE(jar.store(Url("https://e.org/"), "x=1; secure; path=/", kNow));
  EXPECT_FALSE(jar.store(Url("http://e.org/"), "x=2; path=/", kNow));
  EXPECT_EQ(jar.field_for(Url("https://e.org/"), kNow), "x=1");
}

TEST(CookieJar, PrefixesMeanWhatTheySay) {
  EXPECT_EQ(sent("https://e.org/", "__Host-x=1; secure; path=/", "https://e.org/"), "__Host-x=1");
  EXPECT_EQ(sent("https://e.org/", "__Host-x=1; secure", "https://e.org/"), "");
  EXPECT_EQ(sent("https://e.org/", "__host-x=1; secure; path=/; domain=e.org", "https://e.org/"), "");
  EXPECT_EQ(sent("https://e.org/", "__Secure-x=1", "https://e.org/"), "");
  EXPECT_EQ(sent("https://e.org/", "x=1; samesite=none", "https://e.org/"), "");
}

TEST(CookieJar, CookiesEndWhenTheyShould) {
  EXPECT_EQ(sent("http://e.org/", "x=1; max-age=10", "http://e.org/", kNow + 9s), "x=1");
  EXPECT_EQ(sent("http://e.org/", "x=1; max-age=10", "http://e.org/", kNow + 10s), "");
  EXPECT_EQ(sent("http://e.org/", "x=1; expires=Mon, 02 Jun 2025 00:00:00 GMT", "http://e.org/", kNow + 24h),
            "");
  EXPECT_EQ(sent("http://e.org/", "x=1; max-age=10; expires=Mon, 01 Jan 2024 00:00:00 GMT", "http://e.org/"),
            "x=1");
}

TEST(CookieJar, APastDateDeletes) {
  CookieJar jar;
  const Url url("http://e.org/");
  jar.store(url, "x=1", kNow);
  jar.store(url, "y=2", kNow);
  jar.store(url, "x=; expires=Thu, 01 Jan 1970 00:00:00 GMT", kNow);
  EXPECT_EQ(jar.field_for(url, kNow), "y=2");
  jar.store(url, "y=; max-age=0", kNow);
  EXPECT_EQ(jar.size(), 0u);
}

TEST(CookieJar, LongerPathsComeFirstThenOlderCookies) {
  CookieJar jar;
  const Url url("http://e.org/a/b");
  for (auto field : {"a=1; path=/", "b=2; path=/a", "c=3; path=/", "a=4; path=/"})
    jar.store(url, field, kNow);
  EXPECT_EQ(jar.field_for(url, kNow), "b=2; a=4; c=3");
}

TEST(CookieJar, TakesAllFieldsOfAResponse) {
  CookieJar jar;
  const Url url("http://e.org/");
  jar.store(url, Headers{{"Set-Cookie", "a=1"}, {"X", "y"}, {"set-cookie", "b=2; max-age=5"}}, kNow);
  EXPECT_EQ(jar.field_for(url, kNow), "a=1; b=2");
  jar.clear_session();
  EXPECT_EQ(jar.field_for(url, kNow), "b=2");
  jar.clear();
  EXPECT_EQ(jar.size(), 0u);
}

TEST(CookieJar, ForgetsWhatWasUsedLongestAgo) {
  CookieJar jar({.per_domain = 2, .total = 3});
  const Url url("http://e.org/"), other("http://f.org/");
  jar.store(url, "a=1; path=/a", kNow);
  jar.store(url, "b=2; path=/b", kNow);
  jar.field_for(Url("http://e.org/a"), kNow);
  jar.store(url, "c=3", kNow);
  EXPECT_EQ(jar.field_for(Url("http://e.org/b"), kNow), "c=3");
  EXPECT_EQ(jar.field_for(Url("http://e.org/a"), kNow), "a=1; c=3");
  jar.store(other, "d=4", kNow);
  jar.store(other, "e=5", kNow);
  EXPECT_EQ(jar.size(), 3u);
}

}  // namespace
}  // namespace eddy::http

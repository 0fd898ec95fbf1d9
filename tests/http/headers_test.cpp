// SPDX-License-Identifier: MIT
#include <eddy/http/headers.hpp>

#include <gtest/gtest.h>

#include "http/error_of.hpp"

namespace eddy::http {
namespace {

using test::error_of;

std::string joined(const std::vector<std::string_view>& values) {
  std::string text;
  for (auto value : values) (text += value) += ";";
  return text;
}

TEST(Headers, FindsNamesInAnyCase) {
  const Headers headers{{"Content-Type", "text/html"}, {"X", "1"}};
  EXPECT_EQ(headers.at("content-type"), "text/html");
  EXPECT_EQ(headers.get("CONTENT-TYPE"), "text/html");
  EXPECT_FALSE(headers.get("content"));
  EXPECT_TRUE(headers.contains("x"));
}

TEST(Headers, AtNamesTheFieldThatIsMissing) {
  const Headers headers{{"A", "1"}};
  EXPECT_THROW(headers.at("x-trace"), KeyError);
  EXPECT_EQ(error_of([&] { headers.at("x-trace"); }), "no header 'x-trace' among 1 fields");
}

TEST(Headers, KeepOrderAndDuplicates) {
  Headers headers{{"Set-Cookie", "a=1"}, {"Host", "h"}};
  headers.add("set-cookie", "b=2");
  EXPECT_EQ(joined(headers.get_all("SET-COOKIE")), "a=1;b=2;");
  EXPECT_EQ(headers.wire(), "Set-Cookie: a=1\r\nHost: h\r\nset-cookie: b=2\r\n");
}

TEST(Headers, IterateInOrder) {
  const Headers headers{{"A", "1"}, {"B", "2"}};
  std::string text;
  for (const auto& [name, value] : headers) text += std::string(name) + "=" + std::string(value) + ";";
  EXPECT_EQ(text, "A=1;B=2;");
}

TEST(Headers, SetReplacesAllInThePlaceOfTheFirst) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}};
  headers.set("a", "9");
  EXPECT_EQ(headers.wire(), "a: 9\r\nB: 2\r\nC: 4\r\n");
  headers.set("D", "5");
  EXPECT_EQ(headers.at("d"), "5");
}

TEST(Headers, SetDefaultKeepsWhatIsThere) {
  Headers headers{{"A", "1"}};
  headers.set_default("a", "2");
  headers.set_default("B", "3");
  EXPECT_EQ(headers.wire(), "A: 1\r\nB: 3\r\n");
}

TEST(Headers, RemoveDropsAllOfAName) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}};
  EXPECT_EQ(headers.remove("A"), 2u);
  EXPECT_EQ(headers.remove("A"), 0u);
  EXPECT_EQ(headers.wire(), "B: 2\r\nC: 4\r\n");
  EXPECT_EQ(headers.at("C"), "4");
}

TEST(Headers, MayBeChangedByTheirOwnViews) {
  Headers headers{{"A", "a value that is too long for a small string"}};
  for (int i = 0; i < 20; ++i) headers.add(headers[0].name, headers[0].value);
  EXPECT_EQ(headers[20].value, "a value that is too long for a small string");
  headers.set("B", headers.at("a"));
  EXPECT_EQ(headers.at("B"), "a value that is too long for a small string");
  headers.remove(headers[0].name);
  EXPECT_EQ(headers.size(), 1u);
}

TEST(Headers, DropSpacesAroundValues) {
  const Headers headers{{"A", " \t b c\t"}};
  EXPECT_EQ(headers.wire(), "A: b c\r\n");
}

TEST(Headers, RefuseWhatWouldBreakOutOfTheLine) {
  Headers headers;
  EXPECT_THROW(headers.add("X", "a\r\nEvil: 1"), ValueError);
  EXPECT_EQ(error_of([&] { headers.add("X", "a\r\nEvil: 1"); }),
            "header value of 'X' holds '\\x0d' at byte 1");
  EXPECT_EQ(error_of([&] { headers.set("X", std::string_view("a\0b", 3)); }),
            "header value of 'X' holds '\\x00' at byte 1");
  EXPECT_EQ(error_of([&] { headers.add("X: y\r\nZ", "a"); }), "header name holds ':' at byte 1");
  EXPECT_EQ(error_of([&] { headers.add("", "a"); }), "header name is empty");
  EXPECT_TRUE(headers.empty());
}

TEST(Headers, AreEqualIfTheirTextIs) {
  EXPECT_EQ((Headers{{"A", "1"}}), (Headers{{"A", " 1"}}));
  EXPECT_NE((Headers{{"A", "1"}}), (Headers{{"a", "1"}}));
}

TEST(Headers, AreEmptyOnceTheyAreMovedFrom) {
  Headers from{{"A", "1"}};
  Headers to(std::move(from));
  EXPECT_EQ(to.wire(), "A: 1\r\n");
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(from.wire(), "");
  from.add("B", "2");
  to = std::move(from);
  EXPECT_EQ(to.wire(), "B: 2\r\n");
  EXPECT_EQ(from.wire(), "");
  to = Headers();
  EXPECT_TRUE(to.empty());
  EXPECT_EQ(to.wire(), "");
}

TEST(HeaderView, LooksIntoABufferThatMayMove) {
  std::string buffer = "A: 1\r\nB: 22\r\na: 3\r\n";
  HeaderView view;
  view.push({0, 1, 3, 1});
  view.push({6, 1, 9, 2});
  view.push({13, 1, 16, 1});
  view.rebase(buffer.data());
  EXPECT_EQ(view.at("b"), "22");
  const std::string moved = buffer;
  buffer.assign(buffer.size(), '#');
  view.rebase(moved.data());
  EXPECT_EQ(joined(view.get_all("A")), "1;3;");
  EXPECT_EQ(Headers(view).wire(), moved);
  EXPECT_EQ(error_of([&] { view.at("c"); }), "no header 'c' among 3 fields");
}

TEST(HeaderView, HoldsOneHundredFields) {
  HeaderView view;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(view.push({}));
  EXPECT_FALSE(view.push({}));
}

}  // namespace
}  // namespace eddy::http

// SPDX-License-Identifier: MIT
#include <eddy/http/negotiation.hpp>

#include <gtest/gtest.h>

#include <array>

namespace eddy::http {
namespace {

std::string choose(std::string_view field) {
  constexpr std::array<std::string_view, 2> kOffered{"br", "gzip"};
  return std::string(choose_coding(field, kOffered).value_or("none"));
}

TEST(AcceptEncoding, TheMostLikedCodingIsChosen) {
  EXPECT_EQ(choose("gzip, deflate, br"), "br");
  EXPECT_EQ(choose("gzip"), "gzip");
  EXPECT_EQ(choose("GZip;q=0.5"), "gzip");
  EXPECT_EQ(choose("x-gzip"), "gzip");
  EXPECT_EQ(choose("br;q=0.2, gzip;q=0.8"), "gzip");
  EXPECT_EQ(choose("*"), "br");
  EXPECT_EQ(choose("*;q=0.5, br;q=0"), "gzip");
}

TEST(AcceptEncoding, IdentityIsLeftUnlessItIsRefused) {
  EXPECT_EQ(choose(""), "identity");
  EXPECT_EQ(choose("zstd"), "identity");
  EXPECT_EQ(choose("gzip;q=0"), "identity");
  EXPECT_EQ(choose("gzip;q=0.5, identity"), "identity");
  EXPECT_EQ(choose("identity;q=0"), "none");
  EXPECT_EQ(choose("*;q=0"), "none");
  EXPECT_EQ(choose("identity;q=0, gzip;q=0.1"), "gzip");
}

TEST(AcceptEncoding, DamagedWeightsRefuse) {
  for (auto weight : {"2", "0.1234", "-1", "x", ".5", "0,5", ""})
    EXPECT_EQ(choose(std::string("gzip;q=") + weight), "identity") << weight;
  EXPECT_EQ(choose("gzip;q=1.000"), "gzip");
  EXPECT_EQ(choose("gzip;q=0.001"), "gzip");
  EXPECT_EQ(choose("gzip; level=9 ; Q = 0.5"), "gzip");
}

TEST(Etag, StrongAndWeakMatchDiffer) {
  EXPECT_TRUE(strong_match("\"a\"", "\"a\""));
  EXPECT_FALSE(strong_match("W/\"a\"", "W/\"a\""));
  EXPECT_FALSE(strong_match("\"a\"", "W/\"a\""));
  EXPECT_FALSE(strong_match("\"a\"", "\"b\""));
  EXPECT_TRUE(weak_match("W/\"a\"", "\"a\""));
  EXPECT_FALSE(weak_match("W/\"a\"", "\"b\""));
  EXPECT_FALSE(weak_match("", ""));
}

TEST(Etag, IsFoundInAList) {
  EXPECT_TRUE(lists_etag("\"a\", W/\"b\"", "\"b\""));
  EXPECT_TRUE(lists_etag("\"x,y\"", "\"x,y\""));
  EXPECT_TRUE(lists_etag(" * ", "\"any\""));
  EXPECT_FALSE(lists_etag("\"a\", \"b", "\"b\""));
  EXPECT_FALSE(lists_etag("", "\"a\""));
  EXPECT_FALSE(lists_etag("a", "a"));
}

std::string ranges(std::string_view field, std::uint64_t size = 1000) {
  const auto request = parse_range(field, size);
  if (request.outcome == RangeRequest::Outcome::whole) return "whole";
  if (request.outcome == RangeRequest::Outcome::unsatisfiable) return "416";
  std::string text;
  for (const auto& range : request.ranges) text += content_range(range, size) + ";";
  return text;
}

TEST(Range, PartsAreReadInTheirThreeForms) {
  EXPECT_EQ(ranges("bytes=0-99"), "bytes 0-99/1000;");
  EXPECT_EQ(ranges("bytes=900-"), "bytes 900-999/1000;");
  EXPECT_EQ(ranges("bytes=-5"), "bytes 995-999/1000;");
  EXPECT_EQ(ranges("Bytes=0-0, -1"), "bytes 0-0/1000;bytes 999-999/1000;");
  EXPECT_EQ(ranges("bytes=500-9999"), "bytes 500-999/1000;");
  EXPECT_EQ(ranges("bytes=-9999"), "bytes 0-999/1000;");
  EXPECT_EQ(ranges("bytes=0-10,2000-"), "bytes 0-10/1000;");
}

TEST(Range, OutsideTheBodyCannotBeSatisfied) {
  EXPECT_EQ(ranges("bytes=1000-"), "416");
  EXPECT_EQ(ranges("bytes=-0"), "416");
  EXPECT_EQ(ranges("bytes=0-", 0), "416");
}

TEST(Range, DamagedFieldsMeanTheWhole) {
  for (auto field : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-1", "items=0-5", "bytes=0-5,x",
                     "bytes=1", "bytes=+1-2", "bytes=99999999999999999999-"})
    EXPECT_EQ(ranges(field), "whole") << field;
}

TEST(Range, ManyOrOverlappingPartsMeanTheWhole) {
  std::string many = "bytes=0-0";
  for (int i = 1; i < 17; ++i) many += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  EXPECT_EQ(ranges(many), "whole");
  EXPECT_EQ(ranges("bytes=0-500,100-600,200-700"), "whole");
  EXPECT_EQ(ranges("bytes=0-500,100-600"), "bytes 0-500/1000;bytes 100-600/1000;");
}

}  // namespace
}  // namespace eddy::http

// SPDX-License-Identifier: MIT
// What the golden file bodies.md cannot say: views, counts, the end of the stream.
#include <eddy/http/body_decoder.hpp>

#include <gtest/gtest.h>

namespace eddy::http {
namespace {

using Kind = BodyFraming::Kind;

TEST(BodyDecoder, PayloadIsAViewIntoTheInput) {
  const std::string_view bytes = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest";
  BodyDecoder body({Kind::chunked, 0});
  auto first = body.next(bytes);
  EXPECT_EQ(first.payload, "abc");
  EXPECT_EQ(first.payload.data(), bytes.data() + 3);
  EXPECT_EQ(first.consumed, 6u);
  auto second = body.next(bytes.substr(6));
  EXPECT_EQ(second.payload, "de");
  auto last = body.next(bytes.substr(6 + second.consumed));
  EXPECT_TRUE(body.done());
  EXPECT_EQ(bytes.substr(6 + second.consumed + last.consumed), "rest");
  EXPECT_EQ(body.size(), 5u);
}

TEST(BodyDecoder, TakesNothingPastTheEnd) {
  BodyDecoder body({Kind::length, 3});
  EXPECT_EQ(body.next("abcGET").consumed, 3u);
  EXPECT_TRUE(body.done());
  EXPECT_EQ(body.next("GET").consumed, 0u);
}

TEST(BodyDecoder, NoBodyIsDoneAtOnce) {
  EXPECT_TRUE(BodyDecoder().done());
  EXPECT_TRUE(BodyDecoder({Kind::length, 0}).done());
}

TEST(BodyDecoder, TheEndOfTheStreamCompletesOnlyABodyThatRunsUntilThen) {
  BodyDecoder until({Kind::until_close, 0}), counted({Kind::length, 3});
  EXPECT_EQ(until.next("abc").payload, "abc");
  until.end_of_stream();
  EXPECT_TRUE(until.done());
  counted.next("ab");
  counted.end_of_stream();
  EXPECT_TRUE(counted.failed());
  EXPECT_EQ(counted.error().text, "the connection ended inside the message, at byte 2");
}

TEST(BodyDecoder, ALargeBodyOfTinyChunksNeedsNoMemory) {
  BodyDecoder body({Kind::chunked, 0});
  for (int i = 0; i < 100'000; ++i) {
    auto [consumed, payload] = body.next("1\r\nx");
    ASSERT_EQ(payload, "x");
    ASSERT_EQ(body.next("\r\n").consumed, 2u);
  }
  body.next("0\r\n\r\n");
  EXPECT_TRUE(body.done());
  EXPECT_EQ(body.size(), 100'000u);
}

}  // namespace
}  // namespace eddy::http

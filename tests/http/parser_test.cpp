// SPDX-License-Identifier: MIT
// What the golden files (requests.md …) cannot say: cost, moved buffers, reuse.
#include <eddy/http/parser.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace eddy::http {
namespace {

TEST(RequestParser, ViewsFollowABufferThatMoves) {
  std::string buffer = "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestParser parser;
  ASSERT_EQ(parser.parse_head(buffer), Progress::complete);
  const std::string moved = buffer;
  buffer.assign(buffer.size(), '#');
  parser.head().rebase(moved.data());
  EXPECT_EQ(parser.head().path(), "/a");
  EXPECT_EQ(parser.head().query(), "b");
  EXPECT_EQ(parser.head().authority(), "h");
  EXPECT_EQ(parser.head().headers().at("host"), "h");
}

TEST(RequestParser, TheBufferMayMoveBetweenCalls) {
  const std::string text = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestParser parser;
  std::string last;
  for (std::size_t n = 1; n <= text.size(); ++n) {
    std::string now = text.substr(0, n);
    EXPECT_EQ(parser.parse_head(now), n == text.size() ? Progress::complete : Progress::needs_more);
    last.assign(last.size(), '#');
    last.swap(now);
  }
  EXPECT_EQ(parser.head().headers().at("host"), "h");
  EXPECT_EQ(parser.head().size(), text.size());
}

TEST(RequestParser, TakesNoHostForAnotherThatItKnows) {
  RequestParser parser;
  const std::string longest(200, 'h');
  const auto parse = [&](const std::string& host) {
    parser.reset();
    const auto text = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    return parser.parse_head(text);
  };
  for (const std::string& host : {std::string("a.example:80"), longest}) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(parse(host), Progress::complete) << host;
    EXPECT_EQ(parse(host + "/"), Progress::failed) << host;
    EXPECT_EQ(parse(host.substr(0, host.size() - 1) + "@"), Progress::failed) << host;
  }
  for (int i = 0; i < 2; ++i) EXPECT_EQ(parse("a.example:80x"), Progress::failed);
  EXPECT_EQ(parse(""), Progress::complete);
}

TEST(RequestParser, SixteenPipelinedRequestsTakeSixteenCalls) {
  std::string buffer;
  for (int i = 0; i < 16; ++i) buffer += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestParser parser;
  std::string_view rest = buffer;
  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(parser.parse_head(rest), Progress::complete);
    EXPECT_EQ(parser.head().path(), "/" + std::to_string(i));
    rest.remove_prefix(parser.head().size());
  }
  EXPECT_EQ(parser.parse_head(rest), Progress::needs_more);
}

TEST(RequestParser, NothingOfOneRequestStaysForTheNext) {
  RequestParser parser;
  ASSERT_EQ(parser.parse_head("PUT /x?q HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
                              "Connection: keep-alive, upgrade\r\nUpgrade: x\r\n\r\n"),
            Progress::complete);
  ASSERT_EQ(parser.parse_head("GET / HTTP/1.1\r\nHost: b\r\n\r\n"), Progress::complete);
  const RequestHead& head = parser.head();
  EXPECT_EQ(head.query(), "");
  EXPECT_EQ(head.authority(), "b");
  EXPECT_EQ(head.framing(), BodyFraming{});
  EXPECT_FALSE(head.expects_continue());
  EXPECT_FALSE(head.upgrade());
  EXPECT_EQ(head.headers().size(), 1u);
}

TEST(RequestParser, StaysFailedUntilReset) {
  RequestParser parser;
  EXPECT_EQ(parser.parse_head("\r\r"), Progress::needs_more);  // the line might still end: it never will
  EXPECT_EQ(parser.parse_head("\r\r\n"), Progress::failed);
  EXPECT_EQ(parser.parse_head("GET / HTTP/1.1\r\nHost: b\r\n\r\n"), Progress::failed);
  EXPECT_EQ(parser.error().code, ParseErrorCode::bad_line_ending);
  parser.reset();
  EXPECT_EQ(parser.parse_head("GET / HTTP/1.1\r\nHost: b\r\n\r\n"), Progress::complete);
}

// A slow peer: every byte of a large head comes alone. Rescanning from the start would touch 5 * 10^9 bytes.
TEST(RequestParser, WorkIsLinearHoweverSlowlyBytesCome) {
  ParseLimits limits{.target = 100'000, .header_block = 100'000};
  const std::string text = "GET /" + std::string(90'000, 'a') + " HTTP/1.1\r\nHost: h\r\nX: " +
                           std::string(90'000, 'v') + "\r\n\r\n";
  RequestParser parser(limits);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t n = 1; n < text.size(); ++n)
    ASSERT_EQ(parser.parse_head({text.data(), n}), Progress::needs_more);
  ASSERT_EQ(parser.parse_head(text), Progress::complete);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(ResponseParser, KnowsWhichRequestItAnswers) {
  ResponseParser parser;
  const std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  parser.expect(Method::head);
  ASSERT_EQ(parser.parse_head(text), Progress::complete);
  EXPECT_EQ(parser.head().framing(), BodyFraming{});
  parser.expect(Method::get);
  ASSERT_EQ(parser.parse_head(text), Progress::complete);
  EXPECT_EQ(parser.head().framing(), (BodyFraming{BodyFraming::Kind::length, 5}));
}

TEST(ParseLimits, FieldsCannotExceedTheViewsRoom) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 100; ++i) text += "A: b\r\n";
  RequestParser parser(ParseLimits{.fields = 1000});
  EXPECT_EQ(parser.parse_head(text), Progress::failed);
  EXPECT_EQ(parser.error().code, ParseErrorCode::too_many_fields);
}

TEST(Methods, AreCaseSensitive) {
  EXPECT_EQ(method_of("DELETE"), Method::delete_);
  EXPECT_EQ(method_of("delete"), Method::other);
  EXPECT_EQ(to_string(Method::patch), "PATCH");
  EXPECT_TRUE(is_idempotent(Method::put));
  EXPECT_FALSE(is_idempotent(Method::post));
}

}  // namespace
}  // namespace eddy::http

// SPDX-License-Identifier: MIT
#include <eddy/http/write.hpp>

#include <eddy/http/body_decoder.hpp>
#include <gtest/gtest.h>

#include "http/error_of.hpp"

namespace eddy::http {
namespace {

using test::error_of;

TEST(Write, AResponseIsTheSumOfItsParts) {
  std::string out;
  const Headers headers{{"Content-Type", "text/plain"}};
  write_status_line(out, 200);
  out += headers.wire();
  write_content_length(out, 13);
  write_head_end(out);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n");
}

TEST(Write, StatusLinesHaveTheUsualPhraseOrTheOneGiven) {
  std::string out;
  write_status_line(out, 404);
  write_status_line(out, 299);
  write_status_line(out, 200, "Fine");
  write_status_line(out, 200, {}, Version::http_1_0);
  EXPECT_EQ(out, "HTTP/1.1 404 Not Found\r\nHTTP/1.1 299 \r\nHTTP/1.1 200 Fine\r\nHTTP/1.0 200 OK\r\n");
}

TEST(Write, ARequestLineIsChecked) {
  std::string out;
  write_request_line(out, "GET", "/a?b");
  EXPECT_EQ(error_of([&] { write_request_line(out, "GET /", "/"); }),
            "request method 'GET /' is not a token");
  EXPECT_EQ(error_of([&] { write_request_line(out, "GET", ""); }), "request target is empty");
  EXPECT_EQ(error_of([&] { write_request_line(out, "GET", "/a b"); }),
            "request target holds '\\x20' at byte 2; percent-encode it");
  EXPECT_EQ(error_of([&] { write_request_line(out, "GET", "/\r\nX: y"); }),
            "request target holds '\\x0d' at byte 1; percent-encode it");
  EXPECT_EQ(out, "GET /a?b HTTP/1.1\r\n");
}

TEST(Write, NothingIsWrittenWhenAPartIsRefused) {
  std::string out;
  EXPECT_EQ(error_of([&] { write_field(out, "X", "a\nb"); }), "header value of 'X' holds '\\x0a' at byte 1");
  EXPECT_EQ(error_of([&] { write_status_line(out, 99); }), "status 99 is outside 100 … 999");
  EXPECT_EQ(error_of([&] { write_status_line(out, 200, "a\r\nb"); }),
            "reason phrase holds '\\x0d' at byte 1");
  EXPECT_EQ(out, "");
}

TEST(Write, ChunksAreReadBack) {
  std::string out;
  write_chunk(out, "hello");
  write_chunk(out, "");  // would be the end
  write_chunk(out, std::string(300, 'x'));
  write_last_chunk(out, Headers{{"X-Sum", "1"}});
  EXPECT_TRUE(out.starts_with("5\r\nhello\r\n12c\r\nxxx"));
  EXPECT_TRUE(out.ends_with("0\r\nX-Sum: 1\r\n\r\n"));
  BodyDecoder body({BodyFraming::Kind::chunked, 0});
  std::string_view rest = out;
  std::string payload;
  while (!body.done() && !body.failed()) {
    const auto step = body.next(rest);
    payload += step.payload;
    rest.remove_prefix(step.consumed);
  }
  EXPECT_TRUE(body.done());
  EXPECT_EQ(payload.size(), 305u);
  EXPECT_EQ(body.trailers().at("x-sum"), "1");
}

}  // namespace
}  // namespace eddy::http

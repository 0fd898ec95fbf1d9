// SPDX-License-Identifier: MIT
// Requests: the same however they are cut; what was parsed and written again parses to the same.
#include <eddy/http/parser.hpp>
#include <eddy/http/write.hpp>

#include "http_cuts.hpp"

using namespace eddy::http;

namespace {

void check_round_trip(std::string_view input) {
  RequestParser parser, again;
  if (parser.parse_head(input) != Progress::complete) return;
  const RequestHead& head = parser.head();
  require(head.size() <= input.size(), "a head lies in its input");
  std::string written;
  write_request_line(written, head.method_text(), head.target());
  written += Headers(head.headers()).wire();
  write_head_end(written);
  if (head.version() == Version::http_1_0) written.replace(written.find(" HTTP/1.1"), 9, " HTTP/1.0");
  require(again.parse_head(written) == Progress::complete, "what was written parses");
  const RequestHead& copy = again.head();
  require(copy.size() == written.size(), "all of what was written is the head");
  require(copy.method() == head.method() && copy.target() == head.target() && copy.path() == head.path() &&
              copy.query() == head.query() && copy.authority() == head.authority() &&
              copy.form() == head.form(),
          "the same request line");
  require(copy.framing() == head.framing() && copy.keep_alive() == head.keep_alive() &&
              copy.upgrade() == head.upgrade() && copy.expects_continue() == head.expects_continue(),
          "the same meaning");
  require(Headers(copy.headers()) == Headers(head.headers()), "the same fields");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  same_in_all_cuts("request", "", input);
  same_in_all_cuts(
      "request", "target=20 method=5 header_block=60 fields=4 body=12 chunk_extensions=4 trailers=20", input);
  check_round_trip(input);
  return 0;
}

// SPDX-License-Identifier: MIT
// Responses: the same however they are cut; what was parsed and written again parses to the same.
#include <eddy/http/parser.hpp>
#include <eddy/http/write.hpp>

#include "http_cuts.hpp"

using namespace eddy::http;

namespace {

void check_round_trip(std::string_view input) {
  ResponseParser parser, again;
  if (parser.parse_head(input) != Progress::complete) return;
  const ResponseHead& head = parser.head();
  std::string written;
  write_status_line(written, head.status(), head.reason(), head.version());
  written += Headers(head.headers()).wire();
  write_head_end(written);
  require(again.parse_head(written) == Progress::complete, "what was written parses");
  const ResponseHead& copy = again.head();
  require(copy.size() == written.size(), "all of what was written is the head");
  require(copy.status() == head.status() && copy.version() == head.version(), "the same status line");
  require(head.reason().empty() || copy.reason() == head.reason(), "the same reason");
  require(copy.framing() == head.framing() && copy.keep_alive() == head.keep_alive(), "the same meaning");
  require(Headers(copy.headers()) == Headers(head.headers()), "the same fields");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  same_in_all_cuts("response", "", input);
  same_in_all_cuts("response", "HEAD CONNECT GET reason=6 header_block=60 fields=4 body=12", input);
  check_round_trip(input);
  return 0;
}

// SPDX-License-Identifier: MIT
// Chunked bodies: the same however they are cut; payload written as chunks again comes back.
#include <eddy/http/body_decoder.hpp>
#include <eddy/http/write.hpp>

#include "http_cuts.hpp"

using namespace eddy::http;

namespace {

struct Decoded {
  std::string payload, trailers;
  bool done;
};

Decoded decode(std::string_view bytes) {
  BodyDecoder body({BodyFraming::Kind::chunked, 0});
  Decoded result{};
  for (;;) {
    const auto [consumed, payload] = body.next(bytes);
    require(consumed <= bytes.size() && payload.size() <= consumed, "a step stays inside its input");
    require(payload.empty() || payload.data() + payload.size() == bytes.data() + consumed,
            "payload comes last");
    result.payload += payload;
    bytes.remove_prefix(consumed);
    if (payload.empty()) break;
  }
  require(body.size() == result.payload.size(), "payload is counted");
  result.trailers = body.trailers().wire();
  result.done = body.done();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  same_in_all_cuts("body", "", input);
  same_in_all_cuts("body", "body=10 chunk_extensions=5 trailers=20 trailer_fields=2", input);
  const Decoded first = decode(input);
  if (!first.done) return 0;
  std::string written;
  write_chunk(written, first.payload);
  written += "0\r\n" + first.trailers + "\r\n";
  const Decoded second = decode(written);
  require(second.done && second.payload == first.payload && second.trailers == first.trailers, "read back");
  return 0;
}

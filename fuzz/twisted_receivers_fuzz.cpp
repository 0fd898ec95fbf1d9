// SPDX-License-Identifier: MIT
// LineReceiver, Int32StringReceiver, NetstringReceiver: any bytes are taken, and mean the same however they are cut.
#include <eddy/twisted.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include "invariant.hpp"

namespace {

constexpr std::size_t kLimit = 50;

struct Lines : eddy::twisted::LineReceiver {
  Lines() : LineReceiver("\r\n", kLimit) {}
  void line_received(std::string_view line) override {
    require(line.size() <= kLimit && line.find("\r\n") == line.npos, "a line is within its limit, without delimiter");
    heard.append(line) += '|';
  }
  void line_length_exceeded(std::string_view line) override {
    heard += "too long";
    LineReceiver::line_length_exceeded(line);
  }
  std::string heard;
};
struct Counted : eddy::twisted::Int32StringReceiver {
  Counted() : Int32StringReceiver(kLimit) {}
  void string_received(std::string_view text) override {
    require(text.size() <= kLimit, "a string is within its limit");
    heard.append(text) += '|';
  }
  void length_limit_exceeded(std::size_t length) override {
    heard += "too long: " + std::to_string(length);
    Int32StringReceiver::length_limit_exceeded(length);
  }
  std::string heard;
};
struct Nets : eddy::twisted::NetstringReceiver {
  Nets() : NetstringReceiver(kLimit) {}
  void string_received(std::string_view text) override {
    require(text.size() <= kLimit, "a string is within its limit");
    heard.append(text) += '|';
    written += std::to_string(text.size()) + ":" + std::string(text) + ",";
  }
  void parse_error(const eddy::twisted::NetstringParseError& error) override {
    failed = true;
    NetstringReceiver::parse_error(error);
  }
  std::string heard, written;
  bool failed = false;
};

template <class Receiver>
void check_cuts(std::string_view bytes) {
  Receiver whole, single, halves;
  whole.data_received(bytes);
  for (const char& c : bytes) single.data_received({&c, 1});
  halves.data_received(bytes.substr(0, bytes.size() / 2));
  halves.data_received(bytes.substr(bytes.size() / 2));
  require(whole.heard == single.heard, "bytes one by one mean the same");
  require(whole.heard == halves.heard, "bytes in halves mean the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_cuts<Lines>(bytes);
  check_cuts<Counted>(bytes);
  check_cuts<Nets>(bytes);
  Nets nets;
  nets.data_received(bytes);
  require(bytes.starts_with(nets.written), "what was heard is what was sent");
  return 0;
}

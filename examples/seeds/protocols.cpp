// SPDX-License-Identifier: MIT
// The low-level half of asyncio: loops, protocols and transports, futures that bridge callbacks to coroutines.
#include <memory>
#include <string>

#include "seed.hpp"

namespace {

class Upper : public eddy::Protocol {
 public:
  explicit Upper(eddy::Future<std::string> heard) : heard_(std::move(heard)) {}
  void connection_made(eddy::Transport& transport) override { transport_ = &transport; }
  void data_received(std::string_view data) override {
    heard_.set_result(std::string(data));
    transport_->write("low level");
  }

 private:
  eddy::Future<std::string> heard_;
  eddy::Transport* transport_ = nullptr;
};

}  // namespace

SEED("AIO-15", "high-level and low-level API meet", 1_s, "the protocol heard: high level\nthe stream heard: low level") {
  auto& loop = eddy::get_running_loop();
  auto heard = loop.create_future<std::string>();
  auto make = [&] { return std::make_unique<Upper>(heard); };
  auto pair = co_await eddy::testing::connect_protocol(make);
  loop.call_later(1_s, [&] { pair.peer.writer.write("high level"); });
  print("the protocol heard:", co_await heard);
  print("the stream heard:", co_await pair.peer.reader.readexactly(9));
  pair.connection.transport->close();
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "numbered_file.hpp"
#include "support.hpp"

namespace {

// Everything that one connection sends.
struct Receiver {
  eddy::Future<std::string> all = eddy::get_running_loop().create_future<std::string>();
  auto handler() {
    return [all = all](eddy::StreamReader reader, eddy::StreamWriter) -> Coro<> {
      auto text = co_await reader.read();
      all.set_result(std::move(text));
    };
  }
};

Coro<> send_behind(std::string before, std::size_t size) {
  auto& loop = eddy::get_running_loop();
  const NumberedFile file(size);
  Receiver receiver;
  auto handler = receiver.handler();
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
  auto [transport, protocol] = co_await loop.create_connection([] { return std::make_unique<eddy::Protocol>(); }, "127.0.0.1", server.port());
  transport->write(before);
  const auto sent = co_await loop.sendfile(*transport, file.fd, {});
  EXPECT_EQ(sent, file.text.size());
  transport->write("after");
  transport->close();
  const auto all = co_await receiver.all;
  EXPECT_EQ(all.size(), before.size() + file.text.size() + 5);
  EXPECT_TRUE(all == before + file.text + "after");
}

}  // namespace

BACKEND_TEST(Sendfile, LP_9_AFileFollowsWhatWasWrittenBefore) {
  co_await send_behind(std::string(500'000, 'b'), 3'000'000);
}

// What was written leaves in many pieces: the file waits for the last one.
TEST(Sendfile, LP_9_AFileWaitsForEachByteThatWasWrittenBefore) {
  const eddy::testing::Faults faults{.short_writes = 1, .not_ready = 0.5};
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::run(eddy::timeout(20s, send_behind(std::string(2000, 'b'), 10'000)), {.backend = backend, .faults = &faults});
  }
}

BACKEND_TEST(Sendfile, LP_9_APartOfAFile) {
  auto& loop = eddy::get_running_loop();
  const NumberedFile file(100'000);
  Receiver receiver;
  auto handler = receiver.handler();
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
  auto [transport, protocol] = co_await loop.create_connection([] { return std::make_unique<eddy::Protocol>(); }, "127.0.0.1", server.port());
  EXPECT_EQ(co_await loop.sendfile(*transport, file.fd, {.offset = 5000, .count = 70'000}), 70'000u);
  EXPECT_EQ(co_await loop.sendfile(*transport, file.fd, {.offset = 99'000, .count = 70'000}), 1000u);
  transport->close();
  EXPECT_TRUE(co_await receiver.all == file.text.substr(5000, 70'000) + file.text.substr(99'000));
}

BACKEND_TEST(Sendfile, LP_9_WhatSendfileCannotReadIsReadAndWrittenUnlessThatIsForbidden) {
  auto& loop = eddy::get_running_loop();
  const NumberedFile file(700'000);
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  auto [transport, protocol] = co_await loop.connect_write_pipe([] { return std::make_unique<eddy::Protocol>(); }, ends[1]);
  const auto text = "sendfile(2) cannot serve descriptor " + std::to_string(ends[1]) + ": it is no plain socket";
  auto forbidden = loop.sendfile(*transport, file.fd, {.fallback = false});
  auto error = co_await eddy::testing::error_of<eddy::SendfileNotAvailableError>(std::move(forbidden));
  EXPECT_EQ(std::string(error.what()), text);

  struct Collector : eddy::Protocol {
    void data_received(std::string_view data) override { all += data; }
    void connection_lost(std::exception_ptr) override { gone.set(); }
    std::string all;
    eddy::Event gone;
  };
  auto collecting = co_await loop.connect_read_pipe([] { return std::make_unique<Collector>(); }, ends[0]);
  EXPECT_EQ(co_await loop.sendfile(*transport, file.fd, {}), file.text.size());
  transport->close();
  co_await collecting.protocol->gone.wait();
  EXPECT_TRUE(collecting.protocol->all == file.text);
}

BACKEND_TEST(Sendfile, LP_9_WritesAndDataWaitMeanwhileAndACancellationLeavesTheTransportUsable) {
  auto& loop = eddy::get_running_loop();
  const NumberedFile file(8'000'000);
  auto go_on = loop.create_future<>();
  auto received = loop.create_future<std::size_t>();
  auto slow = [&](eddy::StreamReader reader, eddy::StreamWriter) -> Coro<> {
    co_await go_on;
    auto text = co_await reader.read();
    received.set_result(text.size());
  };
  auto server = co_await eddy::start_server(slow, "127.0.0.1", 0);
  auto connection = co_await loop.create_connection([] { return std::make_unique<eddy::Protocol>(); }, "127.0.0.1", server.port());
  auto& transport = *connection.transport;
  auto sending = loop.create_task(loop.sendfile(transport, file.fd, {}));
  co_await eddy::sleep(20ms);
  EXPECT_FALSE(sending.done());
  EXPECT_FALSE(transport.is_reading());
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, transport.write("x")),
            "write to " + transport.peer_address().str() + " while sendfile() is in progress");
  sending.cancel();
  bool cancelled = false;
  try {
    co_await sending;
  } catch (const eddy::CancelledError&) {
    cancelled = true;
  }
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(transport.is_reading());
  transport.write("end");
  transport.close();
  go_on.set_result();
  EXPECT_LT(co_await received, file.text.size());
  auto late = loop.sendfile(transport, file.fd, {});
  auto error = co_await eddy::testing::error_of<eddy::RuntimeError>(std::move(late));
  EXPECT_EQ(std::string(error.what()), "sendfile: the transport is closing");
}

BACKEND_TEST(Sendfile, LP_9_AConnectionThatBreaksEndsIt) {
  auto& loop = eddy::get_running_loop();
  const NumberedFile file(8'000'000);
  auto reset = [](eddy::StreamReader, eddy::StreamWriter writer) -> Coro<> {
    co_await eddy::sleep(10ms);
    const linger now{1, 0};
    ::setsockopt(writer.fileno(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    writer.abort();
  };
  auto server = co_await eddy::start_server(reset, "127.0.0.1", 0);
  auto [transport, protocol] = co_await loop.create_connection([] { return std::make_unique<eddy::Protocol>(); }, "127.0.0.1", server.port());
  auto sending = loop.sendfile(*transport, file.fd, {});
  auto error = co_await eddy::testing::error_of<eddy::ConnectionError>(std::move(sending));
  EXPECT_TRUE(std::string(error.what()).starts_with("sendfile to " + server.address().str() + ": ")) << error.what();
}

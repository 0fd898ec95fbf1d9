// SPDX-License-Identifier: MIT
// A message through a protocol or a datagram socket allocates nothing once it is warm. Counted in the whole process, at
// operator new and (but for sanitizers, which own it) at malloc.
#include <eddy/eddy.hpp>

#include <memory>
#include <string>

#include "count_allocations.hpp"
#include "support.hpp"

namespace {

constexpr std::size_t kWarmUp = 100, kMessages = 1000;

// Answers every message with itself, and counts.
template <class Base>
struct Echo : Base {
  void connection_made(eddy::Transport& t) override { transport = &t; }
  eddy::Transport* transport = nullptr;
};
struct EchoServer : Echo<eddy::Protocol> {
  void data_received(std::string_view data) override { transport->write(data); }
};
struct BufferedEchoServer : Echo<eddy::BufferedProtocol> {
  std::span<char> get_buffer(std::size_t) override { return space; }
  void buffer_updated(std::size_t count) override { transport->write({space, count}); }
  char space[32 * 1024];
};
struct Client : eddy::Protocol {
  Client(std::size_t size, eddy::Future<> end) : message(size, 'x'), done(std::move(end)) {}
  void connection_made(eddy::Transport& t) override {
    transport = &t;
    t.write(message);
  }
  void data_received(std::string_view data) override {
    received += data.size();
    if (received < message.size()) return;
    received = 0;
    if (++messages == kWarmUp) before = allocations;
    if (messages < kWarmUp + kMessages) return transport->write(message);
    after = allocations;
    done.set_result();
  }
  std::string message;
  eddy::Future<> done;
  eddy::Transport* transport = nullptr;
  std::size_t received = 0, messages = 0, before = 0, after = 0;
};

template <class Server>
Coro<std::size_t> allocations_of(std::size_t size) {
  auto& loop = eddy::get_running_loop();
  auto server = co_await loop.create_server([] { return std::make_unique<Server>(); }, "127.0.0.1", 0);
  auto done = loop.create_future<>();
  auto factory = [&] { return std::make_unique<Client>(size, done); };
  auto connection = co_await loop.create_connection(factory, "127.0.0.1", server.port());
  co_await done;
  const auto count = connection.protocol->after - connection.protocol->before;
  connection.transport->close();
  server.close();
  co_return count;
}

Coro<> answer(eddy::DatagramSocket socket) {
  for (;;) {
    auto datagram = co_await socket.receive_view();
    co_await socket.send_to(datagram.data, datagram.from);
  }
}

}  // namespace

BACKEND_TEST(ProtocolAllocations, ASmallMessageAllocatesNothing) { EXPECT_EQ(co_await allocations_of<EchoServer>(64), 0u); }
BACKEND_TEST(ProtocolAllocations, ALargeMessageAllocatesNothing) { EXPECT_EQ(co_await allocations_of<EchoServer>(16 * 1024), 0u); }
BACKEND_TEST(ProtocolAllocations, ABufferedProtocolAllocatesNothing) {
  EXPECT_EQ(co_await allocations_of<BufferedEchoServer>(64), 0u);
}

BACKEND_TEST(ProtocolAllocations, ADatagramAllocatesNothing) {
  auto server = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  auto client = co_await eddy::open_datagram({.remote = server.local_address()});
  auto serving = eddy::create_task(answer(server));
  const std::string message(200, 'x');
  std::size_t before = 0;
  for (std::size_t i = 0; i < kWarmUp + kMessages; ++i) {
    if (i == kWarmUp) before = allocations;
    co_await client.send(message);
    const auto back = co_await client.receive_view();
    if (back.data != message) ADD_FAILURE() << back.data;
  }
  EXPECT_EQ(allocations - before, 0u);
  serving.cancel();
}

BACKEND_TEST(ProtocolAllocations, ABatchOfDatagramsAllocatesNothing) {
  auto receiver = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  const std::string message(200, 'x');
  const std::vector<eddy::OutgoingDatagram> outgoing(16, eddy::OutgoingDatagram{message});
  eddy::DatagramBatch batch(16, 256);
  std::size_t before = 0;
  for (std::size_t i = 0; i < kWarmUp + kMessages; ++i) {
    if (i == kWarmUp) before = allocations;
    co_await sender.send_batch(outgoing);
    std::size_t count = 0;
    while (count < 16) count += co_await receiver.receive_batch(batch);
  }
  EXPECT_EQ(allocations - before, 0u);
}

TEST(ProtocolAllocations, TheCounterCounts) {
  const auto before = allocations;
  const std::string text(1000, 'x');
  EXPECT_GT(allocations, before) << text.size();
}

// SPDX-License-Identifier: MIT
// Servers and connections on sockets that the program brings: asyncio's `sock=`. TLS on Unix sockets.
#include <eddy/eddy.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptor_count.hpp"
#include "tls_support.hpp"

using eddy::Address;
using eddy::open_connection;
using eddy::Socket;
using eddy::start_server;
using eddy::StreamReader;
using eddy::Streams;
using eddy::StreamWriter;
using eddy::testing::error_of;
using tls_test::serving;
using tls_test::trusting;

namespace {

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    auto line = co_await reader.next();
    if (!line) break;
    writer.write(*line);
    co_await writer.drain();
  }
}

Coro<std::string> ask(Streams streams, std::string line) {
  streams.writer.write(line);
  co_return co_await streams.reader.readline();
}

Socket bound(const Address& address) {
  Socket socket(address.family());
  socket.bind(address);
  return socket;
}

std::string abstract_name(const char* what) { return fmt::format("@eddy-{}-{}", what, ::getpid()); }

class EchoProtocol final : public eddy::Protocol {
 public:
  void connection_made(eddy::Transport& transport) override { transport_ = &transport; }
  void data_received(std::string_view data) override {
    received += data;
    if (echoes) transport_->write(data);
    else transport_->close();
  }
  bool echoes = true;
  std::string received;

 private:
  eddy::Transport* transport_ = nullptr;
};

}  // namespace

BACKEND_TEST(GivenSockets, AServerListensOnABoundOne) {
  auto socket = bound(Address("127.0.0.1", 0));
  const auto address = socket.getsockname();
  auto server = co_await start_server(echo, std::move(socket), {.backlog = 5});
  EXPECT_TRUE(socket.closed());
  EXPECT_EQ(server.address(), address);
  auto streams = co_await open_connection("127.0.0.1", server.port());
  auto answer = co_await ask(streams, "hello\n");
  EXPECT_EQ(answer, "hello\n");
  co_await server.shutdown(0s);
}

// As systemd passes them: descriptors that listen, of whatever family.
BACKEND_TEST(GivenSockets, AServerTakesOneThatListensAndLeavesItsFile) {
  for (const auto& address : {Address("127.0.0.1", 0), Address::from_path(abstract_name("given"))}) {
    auto passed = bound(address);
    passed.listen(7);
    auto socket = Socket::from_fd(passed.detach());
    const auto where = socket.getsockname();
    auto server = co_await start_server(echo, std::move(socket));
    auto client = Socket(where.family());
    client.connect(where);
    auto streams = co_await open_connection(std::move(client));
    auto answer = co_await ask(streams, "hello\n");
    EXPECT_EQ(answer, "hello\n");
    co_await server.shutdown(0s);
  }
}

BACKEND_TEST(GivenSockets, TransportsToo) {
  auto& loop = eddy::get_running_loop();
  auto socket = bound(Address("127.0.0.1", 0));
  auto factory = [] { return std::make_unique<EchoProtocol>(); };
  auto server = co_await loop.create_server(factory, std::move(socket));
  Socket client;
  client.connect(server.address());
  auto asking = [] {
    auto protocol = std::make_unique<EchoProtocol>();
    protocol->echoes = false;
    return protocol;
  };
  auto connection = co_await loop.create_connection(asking, std::move(client));
  connection.transport->write("ping");
  while (connection.protocol->received.size() < 4) co_await eddy::sleep(1ms);
  EXPECT_EQ(connection.protocol->received, "ping");
  co_await server.shutdown(1s);
}

BACKEND_TEST(GivenSockets, WithTls) {
  const auto server_tls = serving();
  const auto client_tls = trusting();
  auto socket = bound(Address("127.0.0.1", 0));
  auto server = co_await start_server(echo, std::move(socket), {.tls = &server_tls});
  Socket client;
  client.connect(server.address());
  auto streams = co_await open_connection(std::move(client), {.tls = &client_tls, .server_hostname = "localhost"});
  auto answer = co_await ask(streams, "hello\n");
  EXPECT_EQ(answer, "hello\n");
  streams.writer.abort();
  Socket nameless;
  nameless.connect(server.address());
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(open_connection(std::move(nameless), {.tls = &client_tls}))),
            "open_connection: a socket names no host to verify; give .server_hostname beside .tls");
  EXPECT_TRUE(nameless.closed());
  co_await server.shutdown(0s);
}

BACKEND_TEST(GivenSockets, AUnixServerSpeaksTls) {
  const auto server_tls = serving();
  const auto client_tls = trusting();
  const auto path = abstract_name("tls");
  auto server = co_await eddy::start_unix_server(echo, path, {.tls = &server_tls});
  auto streams = co_await eddy::open_unix_connection(path, {.tls = &client_tls, .server_hostname = "localhost"});
  auto answer = co_await ask(streams, "hello\n");
  EXPECT_EQ(answer, "hello\n");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(eddy::start_unix_server(echo, path, {.tls = &client_tls}))),
            "start_unix_server: the TLS context is one for clients; make one with tls::server(identity)");
  streams.writer.close();
  co_await server.shutdown(5s);
}

BACKEND_TEST(GivenSockets, OfTheWrongKindAreRefusedAndClosed) {
  const auto before = open_descriptors();
  Socket datagrams(AF_INET, SOCK_DGRAM);
  const int number = datagrams.fileno();
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(start_server(echo, std::move(datagrams)))),
            fmt::format("start_server: descriptor {} is no stream socket", number));
  Socket closed;
  closed.close();
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(start_server(echo, std::move(closed)))), "start_server: the socket is closed");
  Socket lonely;
  const int lonely_number = lonely.fileno();
  EXPECT_EQ(TEXT_OF(eddy::OSError, static_cast<void>(open_connection(std::move(lonely)))),
            fmt::format("open_connection: descriptor {}: Transport endpoint is not connected", lonely_number));
  auto listener = bound(Address("127.0.0.1", 0));
  listener.listen();
  Socket connected;
  connected.connect(listener.getsockname());
  const auto from = connected.getsockname().str();
  EXPECT_EQ(TEXT_OF(eddy::OSError, static_cast<void>(start_server(echo, std::move(connected)))),
            fmt::format("start_server: listen on {}: Invalid argument", from));
  listener.close();
  EXPECT_EQ(open_descriptors(), before);
  co_return;
}

// A call whose coroutine is never awaited closes what it took over.
TEST(GivenSockets, OfACallThatIsNeverAwaitedAreClosed) {
  const auto before = open_descriptors();
  auto program = [&]() -> Coro<> {
    auto [near, far] = eddy::socketpair();
    auto dropped = open_connection(std::move(near));
    co_return;
  };
  eddy::testing::run(program());
  EXPECT_EQ(open_descriptors(), before);
}

TEST(GivenSockets, CancelledAnywhere) {
  for (const auto backend : eddy::available_backends()) {
    const auto before = open_descriptors();
    const auto server_tls = serving();
    const auto client_tls = trusting();
    auto program = [&]() -> Coro<> {
      auto [near, far] = eddy::socketpair();
      auto serve = [&](Socket socket) -> Coro<> {
        try {
          auto streams = co_await open_connection(std::move(socket));
          co_await streams.writer.start_tls(server_tls);
          co_await echo(streams.reader, streams.writer);
        } catch (const eddy::OSError&) {  // the client was cancelled
        }
      };
      auto serving_task = eddy::create_task(serve(std::move(far)));
      {
        auto streams = co_await open_connection(std::move(near), {.tls = &client_tls, .server_hostname = "localhost"});
        co_await ask(streams, "x\n");
      }
      co_await serving_task;
    };
    eddy::testing::cancel_everywhere(program, {.backend = backend});
    EXPECT_EQ(open_descriptors(), before);
  }
}

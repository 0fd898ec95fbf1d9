// SPDX-License-Identifier: MIT
// Limits of servers, their graceful stop, and what happens when the system has nothing left to accept with.
#include <eddy/eddy.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "descriptor_count.hpp"
#include "io/server_core.hpp"
#include "support.hpp"

using eddy::CancelledError;
using eddy::open_connection;
using eddy::Server;
using eddy::start_server;
using eddy::StreamReader;
using eddy::Streams;
using eddy::StreamWriter;
using eddy::testing::error_of;
using eddy::testing::Log;

namespace {

Coro<> echo(StreamReader reader, StreamWriter writer) {
  try {
    for (;;) {
      auto line = co_await reader.next();
      if (!line) break;
      writer.write(*line);
      co_await writer.drain();
    }
  } catch (const eddy::ConnectionError&) {
    // The client has gone.
  }
}

Coro<Streams> connect_to(int port) { return open_connection("127.0.0.1", port); }

Coro<std::string> ask(Streams streams, std::string line) {
  streams.writer.write(line);
  co_return co_await streams.reader.readline();
}

// A reset may come before connect() has looked at its outcome.
Coro<std::string> connect_and_read(int port) {
  auto streams = co_await connect_to(port);
  co_return co_await streams.reader.read();
}

// Until the server knows of as many connections as that.
Coro<> until_connections(Server server, std::size_t wanted) {
  while (server.connections() != wanted) co_await eddy::sleep(1ms);
}

std::string text_of(const eddy::ServerStatistics& s) {
  return fmt::format("{} now, {} accepted, {} refused, {} failed, {} timed out", s.connections, s.accepted, s.refused, s.failed,
                     s.timed_out);
}

struct CloseAtEnd {
  Server server;
  explicit CloseAtEnd(Server s) : server(std::move(s)) {}
  CloseAtEnd(const CloseAtEnd&) = delete;
  ~CloseAtEnd() { server.close(); }
};

class EchoProtocol final : public eddy::Protocol {
 public:
  explicit EchoProtocol(Log& log) : log_(log) {}
  void connection_made(eddy::Transport& transport) override { transport_ = &transport; }
  void data_received(std::string_view data) override { transport_->write(data); }
  void connection_lost(std::exception_ptr error) override {
    log_(error ? TEXT_OF(std::exception, std::rethrow_exception(error)) : "closed");
  }

 private:
  Log& log_;
  eddy::Transport* transport_ = nullptr;
};

}  // namespace

// --- connections of one peer --------------------------------------------------------------------------

BACKEND_TEST(PeerLimit, ResetsWhatAPeerOpensBeyondItAndCountsThat) {
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.max_connections_per_peer = 2});
  auto first = co_await connect_to(server.port());
  auto second = co_await connect_to(server.port());
  auto hello = co_await ask(first, "hello\n") + co_await ask(second, "world\n");
  EXPECT_EQ(hello, "hello\nworld\n");
  co_await error_of<eddy::ConnectionResetError>(connect_and_read(server.port()));
  EXPECT_EQ(text_of(server.statistics()), "2 now, 2 accepted, 1 refused, 0 failed, 0 timed out");
  // Another address is another peer.
  auto other = co_await open_connection("127.0.0.1", server.port(), {.local = eddy::Address("127.0.0.2", 0)});
  auto answer = co_await ask(other, "other\n");
  EXPECT_EQ(answer, "other\n");
  // One that leaves makes room.
  second.writer.close();
  co_await until_connections(server, 2);
  auto fourth = co_await connect_to(server.port());
  auto again = co_await ask(fourth, "again\n");
  EXPECT_EQ(again, "again\n");
  server.close();
  server.close_clients();
  co_await server.wait_closed();
  EXPECT_EQ(text_of(server.statistics()), "0 now, 4 accepted, 1 refused, 0 failed, 0 timed out");
}

BACKEND_TEST(PeerLimit, OfTransportsAndOfUnixUsers) {
  Log log;
  auto factory = [&] { return std::make_unique<EchoProtocol>(log); };
  eddy::ServerOptions options;
  options.max_connections_per_peer = 1;
  auto server = co_await eddy::get_running_loop().create_server(factory, "127.0.0.1", 0, options);
  auto first = co_await connect_to(server.port());
  auto answer = co_await ask(first, "x\n");
  EXPECT_EQ(answer, "x\n");
  co_await error_of<eddy::ConnectionResetError>(connect_and_read(server.port()));
  first.writer.close();
  co_await until_connections(server, 0);
  auto third = co_await connect_to(server.port());
  auto again = co_await ask(third, "y\n");
  EXPECT_EQ(again, "y\n");
  co_await server.shutdown(0s);

  const auto path = fmt::format("@eddy-limits-{}", ::getpid());
  auto unix_server = co_await eddy::start_unix_server(echo, path, {.max_connections_per_peer = 1});
  auto one = co_await eddy::open_unix_connection(path);
  auto one_answer = co_await ask(one, "1\n");
  EXPECT_EQ(one_answer, "1\n");
  auto two = co_await eddy::open_unix_connection(path);
  auto two_answer = co_await two.reader.read();
  EXPECT_EQ(two_answer, "");
  EXPECT_EQ(unix_server.statistics().refused, 1u);
  co_await unix_server.shutdown(0s);
}

// --- idle connections ---------------------------------------------------------------------------------

BACKEND_TEST(IdleTimeout, EndsAConnectionOnWhichNoByteMovesAndReportsNothing) {
  Log log;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { log(context.message); });
  std::string seen;
  auto handler = [&](StreamReader reader, StreamWriter) -> Coro<> {
    try {
      co_await reader.readline();
    } catch (const eddy::TimeoutError& error) {
      seen = error.what();
      throw;
    }
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0, {.idle_timeout = 40ms});
  const auto began = std::chrono::steady_clock::now();
  auto streams = co_await connect_to(server.port());
  const auto peer = streams.writer.local_address().str();
  auto rest = co_await streams.reader.read();
  EXPECT_EQ(rest, "");
  EXPECT_GE(std::chrono::steady_clock::now() - began, 40ms);
  EXPECT_EQ(seen, fmt::format("no byte came from {} or went there for 40ms, the server's idle_timeout", peer));
  EXPECT_EQ(text_of(server.statistics()), "0 now, 1 accepted, 0 refused, 0 failed, 1 timed out");
  EXPECT_EQ(log.str(), "");
  server.close();
}

BACKEND_TEST(IdleTimeout, LeavesAConnectionOnWhichBytesMove) {
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.idle_timeout = 60ms});
  auto streams = co_await connect_to(server.port());
  for (int i = 0; i < 8; ++i) {
    co_await eddy::sleep(15ms);
    auto answer = co_await ask(streams, "x\n");
    EXPECT_EQ(answer, "x\n");
  }
  EXPECT_EQ(server.statistics().timed_out, 0u);
  auto rest = co_await streams.reader.read();
  EXPECT_EQ(rest, "");
  EXPECT_EQ(server.statistics().timed_out, 1u);
  server.close();
}

// What came while the loop was busy is heard before anybody is taken for idle.
BACKEND_TEST(IdleTimeout, ALoopThatWasBusyEndsNoConnection) {
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.idle_timeout = 100ms});
  auto streams = co_await connect_to(server.port());
  auto first = co_await ask(streams, "one\n");
  EXPECT_EQ(first, "one\n");
  streams.writer.write("two\n");
  ::usleep(300'000);
  auto second = co_await streams.reader.readline();
  EXPECT_EQ(second, "two\n");
  EXPECT_EQ(server.statistics().timed_out, 0u);
  co_await server.shutdown(0s);
}

BACKEND_TEST(IdleTimeout, EndsAWriterWhosePeerTakesNothing) {
  std::string seen;
  eddy::Event ended;
  auto handler = [&](StreamReader, StreamWriter writer) -> Coro<> {
    const std::string block(1 << 20, 'x');
    try {
      for (;;) {
        writer.write(block);
        co_await writer.drain();
      }
    } catch (const eddy::TimeoutError& error) {
      seen = error.what();
    }
    ended.set();
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0, {.idle_timeout = 40ms});
  auto streams = co_await connect_to(server.port());
  co_await ended.wait();
  EXPECT_NE(seen.find("the server's idle_timeout"), seen.npos);
  server.close();
  co_await server.wait_closed();
}

BACKEND_TEST(IdleTimeout, OfTransportsIsToldByConnectionLost) {
  Log log;
  auto factory = [&] { return std::make_unique<EchoProtocol>(log); };
  eddy::ServerOptions options;
  options.idle_timeout = 40ms;
  auto server = co_await eddy::get_running_loop().create_server(factory, "127.0.0.1", 0, options);
  auto streams = co_await connect_to(server.port());
  const auto peer = streams.writer.local_address().str();
  auto answer = co_await ask(streams, "x\n");
  EXPECT_EQ(answer, "x\n");
  auto rest = co_await streams.reader.read();
  EXPECT_EQ(rest, "");
  EXPECT_EQ(log.str(), fmt::format("no byte came from {} or went there for 40ms, the server's idle_timeout", peer));
  EXPECT_EQ(server.statistics().timed_out, 1u);
  server.close();
}

BACKEND_TEST(GracefulStop, LeavesAStreamThatAHandlerGaveAway) {
  eddy::Queue<Streams> given;
  auto handler = [&](StreamReader reader, StreamWriter writer) -> Coro<> {
    Streams streams{std::move(reader), std::move(writer)};
    given.put_nowait(std::move(streams));
    co_return;
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  auto near = co_await connect_to(server.port());
  auto far = co_await given.get();
  co_await server.shutdown(1h);
  far.writer.write("still here\n");
  auto line = co_await near.reader.readline();
  EXPECT_EQ(line, "still here\n");
}

// --- accept fails -------------------------------------------------------------------------------------

namespace {

// A server whose listener fails as the test says: the kernel's part is played by accept_failed().
class Refusing final : public eddy::detail::ServerCore {
 public:
  using ServerCore::ServerCore;
  void close_clients() override {}
  void abort_clients() override {}
  void cut_off() override {}
  int served = 0;

 private:
  void serve(int fd, eddy::detail::PeerCounts::Entry*) override {
    ++served;
    ::close(fd);
  }
  void sweep() noexcept override {}
};

Coro<> fail_with(int error_number, Log& log) {
  auto& loop = eddy::detail::Loop::running();
  loop.facade->set_exception_handler([&](const eddy::ExceptionContext& context) { log(context.message); });
  auto server = std::make_shared<Refusing>(loop, eddy::ServerOptions());
  server->listen({eddy::Address("127.0.0.1", 0)});
  const int port = server->addresses().front().port();
  static_cast<eddy::detail::AcceptSink&>(*server).accept_failed(error_number);
  auto streams = co_await connect_to(port);  // the backlog takes it
  co_await eddy::sleep(900ms);
  log(server->served, "served");
  co_await eddy::sleep(200ms);
  while (server->served == 0) co_await eddy::sleep(1ms);
  log(server->served, "served,", server->statistics().failed, "failed");
  server->close();
}

}  // namespace

TEST(AcceptFailures, OutOfSomethingPausesForASecondAndReports) {
  for (const auto backend : eddy::available_backends()) {
    for (const int error_number : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
      Log log;
      eddy::run(fail_with(error_number, log), {.backend = backend, .virtual_time = true});
      EXPECT_NE(log.str().find(fmt::format(" failed: {}; trying again in 1s, 0 served, 1 served, 1 failed", std::strerror(error_number))),
                std::string::npos)
          << log.str();
    }
  }
}

// --- the graceful stop --------------------------------------------------------------------------------

BACKEND_TEST(GracefulStop, WaitsForHandlersAndForWhatTheyHaveWritten) {
  const std::string text(8 << 20, 'x');
  auto handler = [&](StreamReader reader, StreamWriter writer) -> Coro<> {
    co_await reader.readline();
    co_await eddy::sleep(5ms);
    writer.write(text);  // far more than the kernel takes at once
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  auto streams = co_await connect_to(server.port());
  streams.writer.write("go\n");
  co_await until_connections(server, 1);
  auto stopping = eddy::create_task(server.shutdown(10s));
  co_await eddy::sleep(20ms);
  EXPECT_FALSE(server.is_serving());
  EXPECT_EQ(server.connections(), 1u);  // its handler has ended, its bytes have not gone
  EXPECT_FALSE(stopping.done());
  auto all = co_await streams.reader.read();
  EXPECT_TRUE(all == text);
  co_await stopping;
  EXPECT_EQ(server.connections(), 0u);
}

BACKEND_TEST(GracefulStop, CancelsHandlersAfterTheGraceAndDropsWhatIsUnsent) {
  Log log;
  auto handler = [&](StreamReader reader, StreamWriter writer) -> Coro<> {
    writer.write(std::string(8 << 20, 'x'));  // the client takes little of it
    try {
      co_await reader.read();
    } catch (const CancelledError&) {
      log("cancelled");
      throw;
    }
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  auto streams = co_await connect_to(server.port());
  co_await until_connections(server, 1);
  const auto began = std::chrono::steady_clock::now();
  co_await server.shutdown(30ms);
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 30ms);
  EXPECT_LT(took, 5s);
  EXPECT_EQ(log.str(), "cancelled");
  EXPECT_EQ(server.connections(), 0u);
  co_await server.shutdown(1h);  // nothing is left to wait for
}

BACKEND_TEST(GracefulStop, DropsWhatAHandlerThatHasEndedHasNotSent) {
  auto handler = [](StreamReader, StreamWriter writer) -> Coro<> {
    writer.write(std::string(8 << 20, 'x'));
    co_return;
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  auto streams = co_await connect_to(server.port());
  co_await until_connections(server, 1);
  co_await server.shutdown(20ms);
  EXPECT_EQ(server.connections(), 0u);
}

BACKEND_TEST(GracefulStop, ACancelledOneCancelsHandlersAtOnceAndLeavesNothing) {
  Log log;
  const auto before = open_descriptors();
  {
    auto handler = [&](StreamReader reader, StreamWriter) -> Coro<> {
      try {
        co_await reader.read();
      } catch (const CancelledError&) {
        log("cancelled");
        throw;
      }
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto streams = co_await connect_to(server.port());
    co_await until_connections(server, 1);
    auto stopping = eddy::create_task(server.shutdown(1h));
    co_await eddy::sleep(5ms);
    EXPECT_EQ(log.str(), "");
    stopping.cancel();
    co_await error_of<CancelledError>(stopping);
    EXPECT_EQ(log.str(), "cancelled");
    EXPECT_EQ(server.connections(), 0u);
  }
  co_await eddy::sleep(1ms);
  EXPECT_EQ(open_descriptors(), before);
}

BACKEND_TEST(GracefulStop, ServeForeverStopsWithGraceWhenItIsCancelled) {
  auto slow = [](StreamReader reader, StreamWriter writer) -> Coro<> {
    auto line = co_await reader.readline();
    co_await eddy::sleep(20ms);
    writer.write(line);
  };
  auto server = co_await start_server(slow, "127.0.0.1", 0);
  auto serving = eddy::create_task(server.serve_forever(10s));
  auto streams = co_await connect_to(server.port());
  auto answering = eddy::create_task(ask(streams, "late\n"));
  co_await until_connections(server, 1);
  serving.cancel();
  auto answer = co_await answering;
  EXPECT_EQ(answer, "late\n");
  streams.writer.close();
  co_await error_of<CancelledError>(serving);
  EXPECT_FALSE(server.is_serving());
}

BACKEND_TEST(GracefulStop, OfTransportsAbortsThemAfterTheGrace) {
  Log log;
  auto factory = [&] { return std::make_unique<EchoProtocol>(log); };
  auto server = co_await eddy::get_running_loop().create_server(factory, "127.0.0.1", 0);
  auto streams = co_await connect_to(server.port());
  auto answer = co_await ask(streams, "x\n");
  EXPECT_EQ(answer, "x\n");
  auto stopping = eddy::create_task(server.shutdown(300ms));
  co_await eddy::sleep(5ms);
  auto still = co_await ask(streams, "y\n");
  EXPECT_EQ(still, "y\n");
  co_await stopping;
  EXPECT_EQ(log.str(), "closed");
}

BACKEND_TEST(GracefulStop, AbortClientsDropsWhatIsUnsent) {
  auto handler = [](StreamReader reader, StreamWriter writer) -> Coro<> {
    writer.write(std::string(8 << 20, 'x'));
    co_await reader.read();
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  auto streams = co_await connect_to(server.port());
  co_await until_connections(server, 1);
  server.close();
  server.abort_clients();
  co_await server.wait_closed();
  EXPECT_EQ(server.connections(), 0u);
}

// What a program does with its server: cancelled at each of its awaits, nothing stays.
TEST(GracefulStop, IsCancelledAnywhere) {
  for (const auto backend : eddy::available_backends()) {
    const auto before = open_descriptors();
    auto program = [&]() -> Coro<> {
      auto server = co_await start_server(echo, "127.0.0.1", 0, {.max_connections_per_peer = 8});
      const CloseAtEnd closing(server);
      auto streams = co_await connect_to(server.port());
      co_await ask(streams, "x\n");
      co_await server.shutdown(5ms);
      co_await streams.reader.read();
    };
    eddy::testing::cancel_everywhere(program, {.backend = backend});
    EXPECT_EQ(open_descriptors(), before);
  }
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "support.hpp"

using eddy::CancelledError;
using eddy::open_connection;
using eddy::start_server;
using eddy::StreamReader;
using eddy::StreamWriter;
using eddy::testing::error_of;
using eddy::testing::Log;

namespace {

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    auto line = co_await reader.next();
    if (!line) break;
    writer.write(*line);
    co_await writer.drain();
  }
}

Coro<std::string> ask(int port, std::string line) {
  auto streams = co_await open_connection("127.0.0.1", port);
  streams.writer.write(line);
  co_return co_await streams.reader.readline();
}

}  // namespace

BACKEND_TEST(Servers, IO_14_ServeABurst) {
  auto server = co_await start_server(echo, "127.0.0.1", 0);
  std::vector<Coro<std::string>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(ask(server.port(), std::to_string(i) + "\n"));
  const auto answers = co_await eddy::gather(std::move(clients));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(answers[static_cast<std::size_t>(i)], std::to_string(i) + "\n");
  server.close();
  co_await server.wait_closed();
  EXPECT_EQ(server.connections(), 0u);
}

BACKEND_TEST(Servers, IO_19_CloseStopsAcceptingAndLeavesConnections) {
  auto server = co_await start_server(echo, "127.0.0.1", 0);
  const int port = server.port();
  auto streams = co_await open_connection("127.0.0.1", port);
  streams.writer.write("one\n");
  auto one = co_await streams.reader.readline();
  EXPECT_EQ(one, "one\n");
  EXPECT_TRUE(server.is_serving());
  EXPECT_EQ(server.connections(), 1u);
  server.close();
  server.close();
  EXPECT_FALSE(server.is_serving());
  co_await error_of<eddy::ConnectionRefusedError>(open_connection("127.0.0.1", port));
  streams.writer.write("two\n");
  auto two = co_await streams.reader.readline();
  EXPECT_EQ(two, "two\n");
  streams.writer.close();
  co_await server.wait_closed();
}

BACKEND_TEST(Servers, CloseClientsEndsTheirHandlers) {
  auto server = co_await start_server(echo, "127.0.0.1", 0);
  auto streams = co_await open_connection("127.0.0.1", server.port());
  streams.writer.write("x\n");
  auto echoed = co_await streams.reader.readline();
  EXPECT_EQ(echoed, "x\n");
  server.close();
  server.close_clients();
  co_await server.wait_closed();
  auto end = co_await streams.reader.read();
  EXPECT_EQ(end, "");
}

BACKEND_TEST(Servers, ServeForeverClosesWhenItIsCancelled) {
  auto server = co_await start_server(echo, "127.0.0.1", 0);
  auto serving = eddy::create_task(server.serve_forever());
  auto answer = co_await ask(server.port(), "hello\n");
  EXPECT_EQ(answer, "hello\n");
  serving.cancel();
  co_await error_of<CancelledError>(serving);
  EXPECT_FALSE(server.is_serving());
}

BACKEND_TEST(Servers, STREAM_13_ReportWhatAHandlerThrowsAndCloseThatConnectionOnly) {
  Log log;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) {
    log(context.message + ":", TEXT_OF(std::runtime_error, std::rethrow_exception(context.exception)));
  });
  auto handler = [](StreamReader reader, StreamWriter writer) -> Coro<> {
    auto line = co_await reader.readline();
    if (line == "fail\n") throw std::runtime_error("handler failed");
    writer.write(line);
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  auto failed = co_await ask(server.port(), "fail\n");
  auto good = co_await ask(server.port(), "good\n");
  EXPECT_EQ(failed + good, "good\n");
  EXPECT_EQ(log.str(), "a connection's handler threw: handler failed");
  server.close();
}

BACKEND_TEST(Servers, KeepTheirHandlerAndGoOnWithoutAHandle) {
  auto token = std::make_shared<std::string>("kept");
  int port = 0;
  {
    auto handler = [token](StreamReader, StreamWriter writer) -> Coro<> {
      writer.write(*token + "\n");
      co_return;
    };
    auto server = co_await start_server(std::move(handler), "127.0.0.1", 0);
    port = server.port();
  }
  auto answer = co_await ask(port, "");
  EXPECT_EQ(answer, "kept\n");
}

BACKEND_TEST(Servers, HoldBackConnectionsBeyondTheirMaximum) {
  std::size_t most = 0, now = 0;
  auto handler = [&](StreamReader reader, StreamWriter writer) -> Coro<> {
    most = std::max(most, ++now);
    auto line = co_await reader.readline();
    co_await eddy::sleep(1ms);
    writer.write(line);
    --now;
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0, {.max_connections = 2});
  std::vector<Coro<std::string>> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(ask(server.port(), "x\n"));
  const auto answers = co_await eddy::gather(std::move(clients));
  EXPECT_EQ(answers.size(), 10u);
  EXPECT_EQ(most, 2u);
  server.close();
}

BACKEND_TEST(Servers, IO_20_NameTheAddressThatIsInUseAndTheBadPort) {
  auto server = co_await start_server(echo, "127.0.0.1", 0);
  const auto used = co_await error_of<eddy::OSError>(start_server(echo, "127.0.0.1", server.port()));
  EXPECT_EQ(used.what(), fmt::format("listen on 127.0.0.1:{}: Address already in use", server.port()));
  const auto port = co_await error_of<eddy::ValueError>(start_server(echo, "127.0.0.1", 65536));
  EXPECT_STREQ(port.what(), "listen on 127.0.0.1: port 65536 is outside of 0 to 65535");
  server.close();
  auto again = co_await start_server(echo, "127.0.0.1", server.port());  // IO-20: at once
  again.close();
}

BACKEND_TEST(Servers, IO_22_ListenOnEveryFamilyWithOnePort) {
  auto server = co_await start_server(echo, "", 0);
  for (const auto& address : server.addresses()) EXPECT_EQ(address.port(), server.port());
  auto answer = co_await ask(server.port(), "hi\n");
  EXPECT_EQ(answer, "hi\n");
  server.close();
}

BACKEND_TEST(Servers, IO_21_ShareAPortWhenAsked) {
  auto first = co_await start_server(echo, "127.0.0.1", 0, {.reuse_port = true});
  auto second = co_await start_server(echo, "127.0.0.1", first.port(), {.reuse_port = true});
  EXPECT_EQ(first.port(), second.port());
  first.close();
  auto answer = co_await ask(second.port(), "hi\n");
  EXPECT_EQ(answer, "hi\n");
  second.close();
}

BACKEND_TEST(Servers, IO_13_OutOfDescriptorsBackOffReportAndGoOn) {
  Log log;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { log(context.message); });
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  eddy::detail::UniqueFd probe(::dup(0));
  const rlimit low{static_cast<rlim_t>(probe.get()) + 16, limit.rlim_max};
  probe.reset();
  ::setrlimit(RLIMIT_NOFILE, &low);  // before it listens: io_uring keeps the limit of the time when it was asked
  auto server = co_await start_server(echo, "127.0.0.1", 0);
  const int port = server.port();
  auto first = co_await open_connection("127.0.0.1", port);
  co_await eddy::sleep(5ms);
  std::vector<eddy::detail::UniqueFd> all;
  // One number is left for the client; the server finds none.
  for (int fd = 0; (fd = ::dup(0)) >= 0;) all.emplace_back(fd);
  all.pop_back();
  auto second = co_await open_connection("127.0.0.1", port);
  co_await eddy::sleep(20ms);
  EXPECT_EQ(log.str(), fmt::format("accept on 127.0.0.1:{} failed: Too many open files; trying again in 1s", port));
  EXPECT_EQ(server.statistics().failed, 1u);
  first.writer.write("meanwhile\n");
  auto meanwhile = co_await first.reader.readline();
  EXPECT_EQ(meanwhile, "meanwhile\n");
  all.clear();
  ::setrlimit(RLIMIT_NOFILE, &limit);
  second.writer.write("patience\n");
  auto answer = co_await second.reader.readline();
  EXPECT_EQ(answer, "patience\n");
  server.close();
}

// io_uring with IORING_RECVSEND_POLL_FIRST told the bytes, and never the reset.
BACKEND_TEST(Servers, HearOfAResetThatCameWithTheFirstBytes) {
  int heard = 0;
  auto handler = [&](StreamReader reader, StreamWriter) -> Coro<> {
    try {
      co_await reader.readexactly(10);
    } catch (const eddy::ConnectionResetError&) {
      ++heard;
    } catch (const eddy::IncompleteReadError&) {
      ++heard;
    }
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0);
  for (int i = 0; i < 10; ++i) {
    eddy::Socket client;
    client.connect(server.address());
    client.send("abc");
    const linger reset{1, 0};
    client.setsockopt(SOL_SOCKET, SO_LINGER, std::as_bytes(std::span(&reset, 1)));
    client.close();
  }
  while (server.statistics().accepted < 10) co_await eddy::sleep(1ms);
  server.close();
  co_await server.wait_closed();
  EXPECT_EQ(heard, 10);
}

TEST(ServersOfAClosedLoop, LOOP_16_CloseTheirDescriptors) {
  int port = 0;
  auto main = [&]() -> Coro<> {
    auto server = co_await start_server(echo, "127.0.0.1", 0);
    port = server.port();
  };
  eddy::run(main());
  auto connect = [&]() -> Coro<> { co_await open_connection("127.0.0.1", port); };
  EXPECT_THROW(eddy::run(connect()), eddy::ConnectionRefusedError);
}

// Streams: open_connection, start_server, StreamReader, StreamWriter; over TCP, Unix sockets and TLS.
#include <eddy/eddy.hpp>
#include <string>
#include <vector>
#include <unistd.h>
#include "check.hpp"
using namespace std::chrono_literals;

eddy::Coro<> echo(eddy::StreamReader reader, eddy::StreamWriter writer) {
  while (true) {
    std::string data = co_await reader.read(2048);
    if (data.empty()) break;  // the peer has closed
    writer.write(data);
    co_await writer.drain();
  }
  writer.close();
  co_await writer.wait_closed();
}

eddy::Coro<> hundred_clients() {
  auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
  auto port = server.port();
  auto client = [port](int id) -> eddy::Coro<> {
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", port);
    for (int count = 0; count < 20; ++count) {
      std::string message = "hello " + std::to_string(id) + " " + std::to_string(count);
      writer.write(message);
      co_await writer.drain();
      CHECK(co_await reader.readexactly(message.size()) == message);
    }
    writer.close();
    co_await writer.wait_closed();
  };
  std::vector<eddy::Coro<>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(client(i));
  co_await eddy::gather(std::move(clients));
  server.close();
  co_await server.wait_closed();
}

eddy::Coro<> lines_and_limits() {
  auto server = co_await eddy::start_server(
      [](eddy::StreamReader, eddy::StreamWriter writer) -> eddy::Coro<> {
        writer.write("first\nsecond\r\nend");
        co_await writer.drain();
        writer.close();
        co_await writer.wait_closed();
      },
      "127.0.0.1", 0);
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  std::vector<std::string> lines;
  while (auto line = co_await reader.next()) lines.push_back(*line);  // async for line in reader
  CHECK((lines == std::vector<std::string>{"first\n", "second\r\n", "end"}));
  CHECK(reader.at_eof());

  auto again = co_await eddy::open_connection("127.0.0.1", server.port());
  try {
    co_await again.reader.readexactly(1000);
    CHECK(!"unreachable");
  } catch (const eddy::IncompleteReadError& error) {
    CHECK(error.partial() == "first\nsecond\r\nend" && error.expected() == 1000);
  }
  auto third = co_await eddy::open_connection("127.0.0.1", server.port(), {.limit = 4});
  CHECK_THROWS(eddy::LimitOverrunError, co_await third.reader.readuntil("\n"));
}

// A writer that outruns its reader is held at drain(): memory stays bounded.
eddy::Coro<> backpressure() {
  auto release = eddy::Event{};
  std::size_t received = 0;
  auto server = co_await eddy::start_server(
      [&](eddy::StreamReader reader, eddy::StreamWriter) -> eddy::Coro<> {
        co_await release.wait();
        for (std::string data; !(data = co_await reader.read(1 << 20)).empty();) received += data.size();
      },
      "127.0.0.1", 0);
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  std::string block(1 << 20, 'x');
  auto pump = eddy::create_task([](eddy::StreamWriter& out, const std::string& data) -> eddy::Coro<> {
    for (int i = 0; i < 64; ++i) {
      out.write(data);
      co_await out.drain();
    }
    out.write_eof();
  }(writer, block));
  co_await eddy::sleep(100ms);
  CHECK(!pump.done());  // the kernel's and our buffers are full
  release.set();
  co_await eddy::wait_for(pump, 20s);
  while (received < 64u << 20) co_await eddy::sleep(5ms);
}

eddy::Coro<> connection_errors() {
  try {
    co_await eddy::open_connection("127.0.0.1", 1);
    CHECK(!"unreachable");
  } catch (const eddy::ConnectionRefusedError& error) {
    std::string what = error.what();
    CHECK(what.find("127.0.0.1") != std::string::npos && what.find("refused") != std::string::npos);
  }
  CHECK_THROWS(eddy::GaiError, co_await eddy::open_connection("no-such-host.invalid", 80));
}

// The server's certificate is made on the spot and trusted by this client alone.
eddy::Coro<> tls() {
  auto identity = eddy::tls::self_signed("localhost");
  auto serving = eddy::tls::server(identity);
  auto trusting = eddy::tls::client({.ca_pem = identity.certificate_pem});
  auto distrusting = eddy::tls::client();
  auto server = co_await eddy::start_server(echo, "127.0.0.1", 0, {.tls = &serving});
  auto [reader, writer] =
      co_await eddy::open_connection("127.0.0.1", server.port(), {.tls = &trusting, .server_hostname = "localhost"});
  std::string block(300'000, 'z');
  writer.write(block);
  co_await writer.drain();
  CHECK(co_await reader.readexactly(block.size()) == block);
  CHECK_THROWS(eddy::tls::CertificateError,  // an untrusted certificate is refused by default
               co_await eddy::open_connection("127.0.0.1", server.port(),
                                              {.tls = &distrusting, .server_hostname = "localhost"}));
}

int main() {
  for (auto scenario : {hundred_clients, lines_and_limits, backpressure, connection_errors, tls})
    eddy::run(scenario());
  return ok();
}

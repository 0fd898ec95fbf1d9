// SPDX-License-Identifier: MIT
// Transports over TLS: the protocol is told the same as without.
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>

#include <deque>
#include <memory>
#include <string>

#include "io/tls_support.hpp"

using namespace tls_test;
using eddy::testing::error_of;
using eddy::testing::Log;
namespace tls = eddy::tls;

namespace {

Log& fresh_log() {
  static std::deque<Log> logs;
  return logs.emplace_back();
}

struct Recorder : eddy::Protocol {
  explicit Recorder(Log& to) : log(to) {}
  void connection_made(eddy::Transport& t) override {
    transport = &t;
    log("made");
  }
  void data_received(std::string_view data) override {
    received += data;
    came.set();
  }
  bool eof_received() override {
    log("eof");
    return false;
  }
  void connection_lost(std::exception_ptr error) override {
    log("lost", error ? "with an error" : "well");
    gone.set();
  }
  Log& log;
  eddy::Transport* transport = nullptr;
  std::string received;
  eddy::Event came, gone;
};
struct Echo : Recorder {
  using Recorder::Recorder;
  void data_received(std::string_view data) override { transport->write(data); }
};

}  // namespace

BACKEND_TEST(TlsTransports, LP_8_AnEchoBothWays) {
  auto& loop = eddy::get_running_loop();
  auto& server_log = fresh_log();
  auto& log = fresh_log();
  const auto server_context = serving(), client_context = trusting();
  auto make_echo = [&] { return std::make_unique<Echo>(server_log); };
  auto server = co_await loop.create_server(make_echo, "127.0.0.1", 0, {.tls = &server_context});
  auto make = [&] { return std::make_unique<Recorder>(log); };
  auto [transport, protocol] = co_await loop.create_connection(
      make, "127.0.0.1", server.port(), {.tls = &client_context, .server_hostname = "localhost"});
  EXPECT_EQ(log, "made");
  const std::string message(300'000, 'x');
  transport->write(message);
  while (protocol->received.size() < message.size()) {
    protocol->came.clear();
    co_await protocol->came.wait();
  }
  EXPECT_TRUE(protocol->received == message);
  transport->close();
  co_await protocol->gone.wait();
  server.close();
  co_await server.wait_closed();
  EXPECT_EQ(log, "made, lost well");
  EXPECT_EQ(server_log, "made, eof, lost well");
}

BACKEND_TEST(TlsTransports, LP_8_AHandshakeThatFailsIsThrownAndNoProtocolHearsOfIt) {
  auto& loop = eddy::get_running_loop();
  auto& server_log = fresh_log();
  auto& log = fresh_log();
  const auto server_context = serving();
  const auto stranger = tls::client();
  auto make_echo = [&] { return std::make_unique<Echo>(server_log); };
  auto server = co_await loop.create_server(make_echo, "127.0.0.1", 0, {.tls = &server_context});
  auto make = [&] { return std::make_unique<Recorder>(log); };
  auto connecting = loop.create_connection(make, "127.0.0.1", server.port(), {.tls = &stranger});
  co_await error_of<tls::CertificateError>(std::move(connecting));
  server.close();
  co_await server.wait_closed();
  EXPECT_EQ(log, "");
  EXPECT_EQ(server_log, "");
}

BACKEND_TEST(TlsTransports, LP_8_AHandshakeHasItsTime) {
  auto& loop = eddy::get_running_loop();
  auto silent = [](eddy::StreamReader reader, eddy::StreamWriter) -> Coro<> { co_await reader.read(); };
  auto server = co_await eddy::start_server(silent, "127.0.0.1", 0);
  auto& log = fresh_log();
  const auto context = trusting();
  auto make = [&] { return std::make_unique<Recorder>(log); };
  auto connecting = loop.create_connection(make, "127.0.0.1", server.port(), {.tls = &context, .tls_handshake_timeout = 20ms});
  auto error = co_await error_of<eddy::TimeoutError>(std::move(connecting));
  EXPECT_EQ(std::string(error.what()), "TLS handshake with 127.0.0.1:" + std::to_string(server.port()) + ": not done after 20ms");
  EXPECT_EQ(log, "");
}

BACKEND_TEST(TlsTransports, LP_8_StartTlsOnAnOpenTransport) {
  auto& loop = eddy::get_running_loop();
  auto& log = fresh_log();
  const auto server_context = serving(), client_context = trusting();
  auto upgrade = [&](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
    const auto line = co_await reader.readline();
    EXPECT_EQ(line, "STARTTLS\n");
    writer.write("go ahead");  // from here on, neither sends anything but TLS
    co_await writer.start_tls(server_context);
    writer.write("secret");
    const auto answer = co_await reader.readexactly(6);
    EXPECT_EQ(answer, "answer");
  };
  auto server = co_await eddy::start_server(upgrade, "127.0.0.1", 0);
  auto make = [&] { return std::make_unique<Recorder>(log); };
  auto [transport, protocol] = co_await loop.create_connection(make, "127.0.0.1", server.port());
  transport->write("STARTTLS\n");
  co_await protocol->came.wait();
  EXPECT_EQ(protocol->received, "go ahead");
  protocol->received.clear();
  protocol->came.clear();
  co_await transport->start_tls(client_context, {.server_hostname = "localhost"});
  co_await protocol->came.wait();
  EXPECT_EQ(protocol->received, "secret");
  auto again = transport->start_tls(client_context, {.server_hostname = "localhost"});
  auto error = co_await error_of<eddy::RuntimeError>(std::move(again));
  EXPECT_EQ(std::string(error.what()), "start TLS with " + transport->peer_address().str() + ": it has TLS already");
  transport->write("answer");
  co_await protocol->gone.wait();
  EXPECT_EQ(log, "made, eof, lost well");
}

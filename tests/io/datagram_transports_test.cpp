// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <unistd.h>

#include <deque>
#include <memory>
#include <string>

#include "support.hpp"

namespace {

using eddy::testing::Log;

// Protocols may outlive the test's body, until its loop is closed: what they write to stays.
Log& fresh_log() {
  static std::deque<Log> logs;
  return logs.emplace_back();
}

struct Recorder : eddy::DatagramProtocol {
  explicit Recorder(Log& to) : log(to) {}
  void connection_made(eddy::DatagramTransport& t) override {
    transport = &t;
    log("made");
  }
  void datagram_received(std::string_view data, const eddy::Address& from) override {
    log("datagram", data);
    sender = from;
    came.set();
  }
  void error_received(std::exception_ptr error) override {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log("error", e.what());
    }
    came.set();
  }
  void connection_lost(std::exception_ptr error) override {
    log("lost", error ? "with an error" : "well");
    gone.set();
  }
  void pause_writing() override { log("pause"); }
  void resume_writing() override { log("resume"); }
  Log& log;
  eddy::DatagramTransport* transport = nullptr;
  eddy::Address sender;
  eddy::Event came, gone;
};

}  // namespace

BACKEND_TEST(DatagramTransports, TR_4_DatagramsGoBothWays) {
  auto& loop = eddy::get_running_loop();
  struct Echo : Recorder {
    using Recorder::Recorder;
    void datagram_received(std::string_view data, const eddy::Address& from) override {
      Recorder::datagram_received(data, from);
      transport->sendto(std::string(data) + "!", from);
    }
  };
  Log& server_log = fresh_log();
  Log& log = fresh_log();
  auto server_factory = [&] { return std::make_unique<Echo>(server_log); };
  auto server = co_await loop.create_datagram_endpoint(server_factory, {.local = {"127.0.0.1", 0}});
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto client = co_await loop.create_datagram_endpoint(factory, {.remote = server.transport->local_address()});
  log("connected");
  EXPECT_EQ(client.transport->peer_address(), server.transport->local_address());
  client.transport->sendto("hello");
  co_await client.protocol->came.wait();
  EXPECT_EQ(log, "made, connected, datagram hello!");
  EXPECT_EQ(client.protocol->sender, server.transport->local_address());
  client.transport->sendto("");
  client.protocol->came.clear();
  co_await client.protocol->came.wait();
  EXPECT_EQ(server_log, "made, datagram hello, datagram ");
  client.transport->close();
  client.transport->close();
  EXPECT_TRUE(client.transport->is_closing());
  server.transport->abort();
  co_await client.protocol->gone.wait();
  co_await server.protocol->gone.wait();
  EXPECT_EQ(log, "made, connected, datagram hello!, datagram !, lost well");
}

BACKEND_TEST(DatagramTransports, PR_4_ErrorsOfTheNetworkGoToErrorReceivedAndTheTransportGoesOn) {
  auto& loop = eddy::get_running_loop();
  eddy::Address nobody;
  {
    auto socket = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
    nobody = socket.local_address();
  }
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto client = co_await loop.create_datagram_endpoint(factory, {.remote = nobody});
  client.transport->sendto("x");
  co_await client.protocol->came.wait();
  EXPECT_EQ(log.str(), "made, error receive on " + nobody.str() + ": Connection refused");
  EXPECT_FALSE(client.transport->is_closing());
  auto& transport = *client.transport;
  const eddy::Address other("127.0.0.1", 9);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, transport.sendto("x", other)),
            "sendto 127.0.0.1:9: this transport is connected to " + nobody.str());
  client.transport->close();
  co_await client.protocol->gone.wait();
}

BACKEND_TEST(DatagramTransports, AFullSocketQueuesPausesAndResumes) {
  auto& loop = eddy::get_running_loop();
  const auto path = "@eddy-dt-" + std::to_string(::getpid());
  auto receiver = co_await eddy::open_datagram({.local = eddy::Address::from_path(path)});
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto client = co_await loop.create_datagram_endpoint(factory, {.remote = eddy::Address::from_path(path)});
  client.transport->set_write_buffer_limits({.low = 100, .high = 1000});
  EXPECT_EQ(client.transport->get_write_buffer_limits().low, 100u);
  int sent = 0;
  const std::string piece(100, 'x');
  while (log == "made") client.transport->sendto(piece), ++sent;
  EXPECT_EQ(log, "made, pause");
  EXPECT_GT(client.transport->get_write_buffer_size(), 1000u);
  client.transport->close();
  for (int i = 0; i < sent; ++i) EXPECT_EQ((co_await receiver.receive()).data.size(), 100u);
  co_await client.protocol->gone.wait();
  EXPECT_EQ(log, "made, pause, resume, lost well");
}

BACKEND_TEST(DatagramTransports, WhatDatagramReceivedThrowsIsReportedAndClosesTheTransport) {
  auto& loop = eddy::get_running_loop();
  std::string report;
  loop.set_exception_handler([&](const eddy::ExceptionContext& context) { report = context.message; });
  struct Thrower : Recorder {
    using Recorder::Recorder;
    void datagram_received(std::string_view, const eddy::Address&) override { throw std::runtime_error("no"); }
  };
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Thrower>(log); };
  auto server = co_await loop.create_datagram_endpoint(factory, {.local = {"127.0.0.1", 0}});
  auto sender = co_await eddy::open_datagram({.remote = server.transport->local_address()});
  co_await sender.send("x");
  co_await server.protocol->gone.wait();
  EXPECT_EQ(report.substr(0, report.find('\n')), "Fatal error: protocol.datagram_received() call failed.");
  EXPECT_EQ(log, "made, lost well");
  loop.set_exception_handler(nullptr);
}

BACKEND_TEST(DatagramTransports, LP_7_ReusePortAndBroadcastAreOptions) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto first = co_await loop.create_datagram_endpoint(
      factory, {.local = {"127.0.0.1", 0}, .reuse_port = true, .allow_broadcast = true});
  auto second = co_await loop.create_datagram_endpoint(factory, {.local = first.transport->local_address(), .reuse_port = true});
  EXPECT_EQ(first.transport->local_address(), second.transport->local_address());
  auto joined = loop.create_datagram_endpoint(factory, {.local = {"127.0.0.1", 0}, .gro = true});
  auto error = co_await eddy::testing::error_of<eddy::ValueError>(std::move(joined));
  EXPECT_EQ(std::string(error.what()), "create_datagram_endpoint: .gro is for receive_batch() of open_datagram()");
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <eddy/twisted.hpp>

#include <deque>
#include <memory>
#include <string>

#include "support.hpp"

namespace {

using eddy::testing::Log;
using eddy::twisted::Factory;
using eddy::twisted::Failure;

// Protocols may outlive the test's body, until its loop is closed: what they write to stays.
Log& fresh_log() {
  static std::deque<Log> logs;
  return logs.emplace_back();
}

struct Lines : eddy::twisted::LineReceiver {
  explicit Lines(Log* to, std::string delimiter = "\r\n", std::size_t most = 16384)
      : LineReceiver(std::move(delimiter), most), log(*to) {}
  void connection_made() override { log("made"); }
  void line_received(std::string_view line) override {
    log("line", line);
    if (line == "raw") set_raw_mode();
    if (line == "pause") pause_producing();
    if (line == "bye") lose_connection();
    if (line == "echo") send_line("echoed");
  }
  void raw_data_received(std::string_view data) override {
    log("raw", data);
    if (data.starts_with("....")) set_line_mode(data.substr(4));
  }
  void connection_lost(const Failure& reason) override { log("lost:", reason.message()); }
  Log& log;
};

struct Counted : eddy::twisted::Int32StringReceiver {
  explicit Counted(Log& to) : Int32StringReceiver(100), log(to) {}
  void string_received(std::string_view text) override { log(text); }
  void length_limit_exceeded(std::size_t length) override {
    log("too long:", length);
    Int32StringReceiver::length_limit_exceeded(length);
  }
  Log& log;
};

struct Nets : eddy::twisted::NetstringReceiver {
  explicit Nets(Log& to) : NetstringReceiver(100), log(to) {}
  void string_received(std::string_view text) override { log(text); }
  void parse_error(const eddy::twisted::NetstringParseError& error) override {
    log("error:", error.what());
    NetstringReceiver::parse_error(error);
  }
  Log& log;
};

std::string lines_of(std::string_view bytes, std::size_t most = 16384) {
  Log log;
  Lines lines(&log, "\r\n", most);
  lines.data_received(bytes);
  return log.str();
}
std::string counted_of(std::string_view bytes) {
  Log log;
  Counted counted(log);
  counted.data_received(bytes);
  return log.str();
}
std::string nets_of(std::string_view bytes) {
  Log log;
  Nets nets(log);
  nets.data_received(bytes);
  return log.str();
}

}  // namespace

TEST(LineReceiver, TWI_06_TellsEachLineWithoutItsDelimiter) {
  EXPECT_EQ(lines_of("one\r\n\r\nthree\r\nrest"), "line one, line , line three");
}

TEST(LineReceiver, TWI_06_LinesAreTheSameHoweverTheirBytesAreCut) {
  const std::string bytes = "one\r\ntwo\rx\r\n\r\nraw\r\nbinary....four\r\nfive\r\n";
  Log log;
  Lines lines(&log);
  for (const char c : bytes) lines.data_received({&c, 1});
  EXPECT_EQ(log.str().substr(0, 32), "line one, line two\rx, line , lin");
  for (std::size_t cut = 0; cut <= 13; ++cut) {
    Log cut_log;
    Lines cut_lines(&cut_log);
    cut_lines.data_received(std::string_view(bytes).substr(0, cut));
    cut_lines.data_received(std::string_view(bytes).substr(cut, 14 - cut));
    EXPECT_EQ(cut_log, "line one, line two\rx, line ") << cut;
  }
}

TEST(LineReceiver, TWI_06_RawModeTakesTheRestOfThePacketAndLineModeGoesBack) {
  EXPECT_EQ(lines_of("raw\r\n....four\r\nfive\r\n"), "line raw, raw ....four\r\nfive\r\n, line four, line five");
}

TEST(LineReceiver, TWI_06_ALineBeyondItsLimitClosesTheConnection) {
  EXPECT_EQ(lines_of("12345\r\nok\r\n", 5), "line 12345, line ok");
  EXPECT_EQ(lines_of("123456\r\nok\r\n", 5), "");
  EXPECT_EQ(lines_of("12345678", 5), "");
}

TEST(LineReceiver, TWI_06_NothingFollowsLoseConnectionOrPauseProducing) {
  EXPECT_EQ(lines_of("bye\r\nmore\r\n"), "line bye");
  Log log;
  Lines lines(&log);
  lines.data_received("pause\r\nmore\r\n");
  EXPECT_EQ(log, "line pause");
  EXPECT_EQ(lines.clear_line_buffer(), "more\r\n");
  lines.data_received("later\r\n");
  EXPECT_EQ(log, "line pause");
  lines.resume_producing();
  EXPECT_EQ(log, "line pause, line later");
}

TEST(LineReceiver, AnyDelimiterButAnEmptyOne) {
  Log log;
  Lines lines(&log, "--");
  lines.data_received("a-b--c---");
  EXPECT_EQ(log, "line a-b, line c");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Lines(&log, "")), "LineReceiver: the delimiter must not be empty");
}

TEST(Int32StringReceiver, TWI_06_TellsEachString) {
  const std::string bytes("\0\0\0\3one\0\0\0\0\0\0\0\5three\0\0", 22);
  EXPECT_EQ(counted_of(bytes), "one, , three");
  Log log;
  Counted counted(log);
  for (const char c : bytes) counted.data_received({&c, 1});
  EXPECT_EQ(log, "one, , three");
}

TEST(Int32StringReceiver, TWI_06_ALengthBeyondTheLimitEndsTheParsing) {
  EXPECT_EQ(counted_of(std::string("\0\0\0\145" "x\0\0\0\1y", 10)), "too long: 101");
  EXPECT_EQ(counted_of("\xff\xff\xff\xff"), "too long: 4294967295");
}

TEST(NetstringReceiver, TWI_06_TellsEachString) {
  const std::string bytes = "5:hello,0:,12:hello, world,3:a:";
  EXPECT_EQ(nets_of(bytes), "hello, , hello, world");
  Log log;
  Nets nets(log);
  for (const char c : bytes) nets.data_received({&c, 1});
  EXPECT_EQ(log, "hello, , hello, world");
}

TEST(NetstringReceiver, TWI_06_SaysWhatIsNoNetstring) {
  EXPECT_EQ(nets_of("5:hello;"), "error: netstring: no ',' after 5 bytes");
  EXPECT_EQ(nets_of("x"), "error: netstring: the length has a byte that is no digit");
  EXPECT_EQ(nets_of(":"), "error: netstring: ':' without a length");
  EXPECT_EQ(nets_of("01:x,"), "error: netstring: the length has a leading zero");
  EXPECT_EQ(nets_of("101:"), "error: netstring: a length of 101; the longest is 100");
  EXPECT_EQ(nets_of("1000"), "error: netstring: a length of 4 digits; the longest is 100");
  EXPECT_EQ(nets_of("1:a,2:bc;3:def,"), "a, error: netstring: no ',' after 2 bytes");
}

namespace {

struct LinesFactory : eddy::twisted::ClientFactory {
  explicit LinesFactory(Log& to) : log(to) {}
  std::unique_ptr<eddy::twisted::Protocol> build_protocol(const eddy::Address&) override { return std::make_unique<Lines>(&log); }
  void start_factory() override { log("start factory"); }
  void stop_factory() override { log("stop factory"); }
  void started_connecting() override { log("connecting"); }
  void client_connection_failed(const Failure& reason) override { log("failed:", reason.check<eddy::ConnectionRefusedError>()); }
  void client_connection_lost(const Failure& reason) override { log("client lost:", reason.message()); }
  Log& log;
};

}  // namespace

BACKEND_TEST(Factories, TWI_02_MakeConnectionThenDataThenConnectionLostOnce) {
  Log& server_log = fresh_log();
  Log& log = fresh_log();
  auto server = co_await eddy::twisted::listen_tcp(Factory::for_protocol<Lines>(&server_log), "127.0.0.1", 0);
  {
    auto factory = std::make_shared<LinesFactory>(log);
    auto* client = static_cast<Lines*>(co_await eddy::twisted::connect_tcp(factory, "127.0.0.1", server.port()));
    EXPECT_EQ(client->factory(), factory.get());
    client->send_line("echo");
    client->send_line("bye");
  }
  server.close();
  co_await server.wait_closed();
  while (log.str().find("stop factory") == std::string::npos) co_await eddy::sleep(1ms);
  EXPECT_EQ(server_log, "made, line echo, line bye, lost: the connection was closed cleanly");
  EXPECT_EQ(log, "start factory, connecting, made, line echoed, lost: the connection was closed cleanly, "
                 "client lost: the connection was closed cleanly, stop factory");
}

BACKEND_TEST(Factories, TWI_02_AClientFactoryHearsThatTheConnectionFailed) {
  Log& log = fresh_log();
  int port = 0;
  {
    auto gone = co_await eddy::twisted::listen_tcp(Factory::for_protocol<Lines>(&log), "127.0.0.1", 0);
    port = gone.port();
    gone.close();
  }
  co_await eddy::testing::settle();
  auto factory = std::make_shared<LinesFactory>(log);
  auto connecting = eddy::twisted::connect_tcp(factory, "127.0.0.1", port);
  co_await eddy::testing::error_of<eddy::ConnectionRefusedError>(std::move(connecting));
  EXPECT_EQ(log, "start factory, connecting, failed: 1, stop factory");
}

ASYNC_TEST(Policies, TWI_06_TimeoutFactoryClosesIdleConnections) {
  Log& log = fresh_log();
  auto factory = eddy::twisted::timeout_factory(Factory::for_protocol<Lines>(&log), 10s);
  auto make = [&] { return eddy::twisted::adapt(factory); };
  auto pair = co_await eddy::testing::connect_protocol(make);
  for (int i = 0; i < 3; ++i) {
    co_await eddy::sleep(6s);
    pair.peer.writer.write("tick\r\n");
  }
  EXPECT_EQ(co_await pair.peer.reader.read(), "");
  EXPECT_EQ(eddy::testing::now(), 28s);
  EXPECT_EQ(log, "made, line tick, line tick, line tick, lost: the connection was closed cleanly");
}

ASYNC_TEST(Policies, TWI_06_LimitConnectionsClosesWhatIsBeyond) {
  Log& log = fresh_log();
  auto factory = eddy::twisted::limit_connections(Factory::for_protocol<Lines>(&log), 1);
  auto make = [&] { return eddy::twisted::adapt(factory); };
  auto first = co_await eddy::testing::connect_protocol(make);
  auto second = co_await eddy::testing::connect_protocol(make);
  EXPECT_EQ(co_await second.peer.reader.read(), "");
  first.peer.writer.close();
  co_await eddy::testing::settle();
  auto third = co_await eddy::testing::connect_protocol(make);
  EXPECT_EQ(log, "made, lost: the connection was closed cleanly, made");
  third.connection.transport->close();
  co_await eddy::testing::settle();
}

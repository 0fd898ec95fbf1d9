// SPDX-License-Identifier: MIT
// What a protocol is told, and when: over memory, in virtual time, on each back end.
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using eddy::testing::connect_protocol;
using eddy::testing::Log;
using eddy::testing::settle;

// Protocols may outlive the test's body, until its loop is closed: what they write to stays.
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
  void data_received(std::string_view data) override { log("data", data); }
  bool eof_received() override {
    log("eof");
    return false;
  }
  void connection_lost(std::exception_ptr error) override { log("lost", error ? "with an error" : "well"); }
  void pause_writing() override { log("pause"); }
  void resume_writing() override { log("resume"); }

  Log& log;
  eddy::Transport* transport = nullptr;
};

// The texts of what reaches the loop's exception handler.
std::shared_ptr<std::string> watch_reports() {
  auto texts = std::make_shared<std::string>();
  eddy::get_running_loop().set_exception_handler([texts](const eddy::ExceptionContext& context) {
    *texts += context.message;
    try {
      if (context.exception) std::rethrow_exception(context.exception);
    } catch (const std::exception& error) {
      *texts += std::string("\n") + error.what();
    }
  });
  return texts;
}

}  // namespace

ASYNC_TEST(Protocols, PR_1_ConnectionMadeRunsBeforeCreateConnectionReturnsAndDataComesLater) {
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto pair = co_await connect_protocol(factory);
  log("connected");
  pair.peer.writer.write("hello");
  log("written");
  co_await settle();
  pair.peer.writer.close();
  log("closed");
  co_await settle();
  EXPECT_EQ(log, "made, connected, written, data hello, closed, eof, lost well");
}

ASYNC_TEST(Protocols, PR_1_NothingIsCalledFromInsideClose) {
  Log& log = fresh_log();
  struct Closer : Recorder {
    using Recorder::Recorder;
    void data_received(std::string_view data) override {
      Recorder::data_received(data);
      transport->close();
      transport->close();
      eddy::get_running_loop().call_soon([this] { log("soon"); });
      log("leaving");
    }
  };
  auto factory = [&] { return std::make_unique<Closer>(log); };
  auto pair = co_await connect_protocol(factory);
  pair.peer.writer.write("one");
  co_await settle();
  EXPECT_EQ(log, "made, data one, leaving, lost well, soon");
}

ASYNC_TEST(Protocols, PR_1_ATransportThatIsClosedInConnectionMadeEndsInOrder) {
  Log& log = fresh_log();
  struct Refuser : Recorder {
    using Recorder::Recorder;
    void connection_made(eddy::Transport& t) override {
      Recorder::connection_made(t);
      t.write("sorry");
      t.close();
    }
  };
  auto factory = [&] { return std::make_unique<Refuser>(log); };
  auto pair = co_await connect_protocol(factory);
  EXPECT_EQ(co_await pair.peer.reader.read(), "sorry");
  EXPECT_EQ(log, "made, lost well");
}

ASYNC_TEST(Protocols, PR_2_WhatDataReceivedThrowsIsReportedAndClosesTheTransport) {
  Log& log = fresh_log();
  auto reports = watch_reports();
  struct Thrower : Recorder {
    using Recorder::Recorder;
    void data_received(std::string_view) override { throw std::runtime_error("cannot parse"); }
  };
  auto factory = [&] { return std::make_unique<Thrower>(log); };
  auto pair = co_await connect_protocol(factory);
  pair.peer.writer.write("x");
  EXPECT_EQ(co_await pair.peer.reader.read(), "");
  EXPECT_EQ(log, "made, lost with an error");
  EXPECT_EQ(reports->substr(0, reports->find("\n")), "Fatal error: protocol.data_received() call failed.");
  EXPECT_NE(reports->find("Thrower\n  transport: memory\ncannot parse"), std::string::npos) << *reports;
}

ASYNC_TEST(Protocols, EachMethodThatThrowsIsNamed) {
  struct Thrower : eddy::Protocol {
    explicit Thrower(std::string name) : method(std::move(name)) {}
    void connection_made(eddy::Transport& t) override {
      transport = &t;
      t.set_write_buffer_limits({.low = 0, .high = 0});
      fail("connection_made");
    }
    bool eof_received() override {
      fail("eof_received");
      return false;
    }
    void connection_lost(std::exception_ptr) override { fail("connection_lost"); }
    void pause_writing() override { fail("pause_writing"); }
    void resume_writing() override { fail("resume_writing"); }
    void fail(const char* name) const {
      if (method == name) throw std::runtime_error("thrown");
    }
    std::string method;
    eddy::Transport* transport = nullptr;
  };
  for (const char* method : {"connection_made", "eof_received", "connection_lost", "pause_writing", "resume_writing"}) {
    auto reports = watch_reports();
    auto factory = [&] { return std::make_unique<Thrower>(method); };
    auto pair = co_await connect_protocol(factory, {.room = 1});
    pair.connection.transport->write("xx");
    co_await settle();
    co_await pair.peer.reader.read(1);
    co_await settle();
    co_await pair.peer.reader.read(1);
    pair.peer.writer.close();
    co_await settle();
    EXPECT_TRUE(pair.connection.transport->is_closing());
    EXPECT_NE(reports->find(std::string("protocol.") + method + "() "), std::string::npos) << method << ": " << *reports;
  }
}

ASYNC_TEST(Protocols, PR_1_PauseComesFromWriteAndResumeFromTheLoop) {
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto pair = co_await connect_protocol(factory, {.room = 10});
  auto& transport = *pair.connection.transport;
  transport.set_write_buffer_limits({.low = 5, .high = 20});
  transport.write(std::string(30, 'x'));
  log("20 queued");
  transport.write("y");
  log("21 queued");
  EXPECT_EQ(transport.get_write_buffer_size(), 21u);
  EXPECT_EQ((co_await pair.peer.reader.readexactly(10)).size(), 10u);
  co_await settle();
  log("11 left");
  EXPECT_EQ((co_await pair.peer.reader.readexactly(10)).size(), 10u);
  co_await settle();
  EXPECT_EQ(log, "made, 20 queued, pause, 21 queued, 11 left, resume");
  transport.abort();
  co_await settle();
}

ASYNC_TEST(Protocols, LoweringTheMarksPausesAtOnce) {
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto pair = co_await connect_protocol(factory, {.room = 1});
  pair.connection.transport->write("0123456789");
  EXPECT_EQ(log, "made");
  pair.connection.transport->set_write_buffer_limits({.low = 1, .high = 4});
  EXPECT_EQ(log, "made, pause");
  pair.connection.transport->abort();
  co_await settle();
}

ASYNC_TEST(Protocols, TR_2_DataThatHasComeWaitsWhileReadingIsPaused) {
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto pair = co_await connect_protocol(factory);
  pair.connection.transport->pause_reading();
  pair.peer.writer.write("early");
  pair.peer.writer.close();
  co_await settle();
  EXPECT_EQ(log, "made");
  pair.connection.transport->resume_reading();
  pair.connection.transport->resume_reading();
  co_await settle();
  EXPECT_EQ(log, "made, data early, eof, lost well");
}

ASYNC_TEST(Protocols, APauseFromDataReceivedStopsTheNextPiece) {
  Log& log = fresh_log();
  struct OneByOne : Recorder {
    using Recorder::Recorder;
    void data_received(std::string_view data) override {
      Recorder::data_received(data);
      transport->pause_reading();
    }
  };
  auto factory = [&] { return std::make_unique<OneByOne>(log); };
  auto pair = co_await connect_protocol(factory, {.piece = 1});
  pair.peer.writer.write("abc");
  co_await settle();
  EXPECT_EQ(log, "made, data a");
  pair.connection.transport->resume_reading();
  co_await settle();
  EXPECT_EQ(log, "made, data a, data b");
  pair.connection.transport->close();
  co_await settle();
  EXPECT_EQ(log, "made, data a, data b, lost well");
}

ASYNC_TEST(Protocols, WhatDataReceivedSchedulesRunsBeforeTheNextPiece) {
  Log& log = fresh_log();
  struct Soon : Recorder {
    using Recorder::Recorder;
    void data_received(std::string_view data) override {
      Recorder::data_received(data);
      eddy::get_running_loop().call_soon([this] { log("soon"); });
    }
  };
  auto factory = [&] { return std::make_unique<Soon>(log); };
  auto pair = co_await connect_protocol(factory, {.piece = 1});
  pair.peer.writer.write("ab");
  co_await settle();
  EXPECT_EQ(log, "made, data a, soon, data b, soon");
  pair.connection.transport->close();
  co_await settle();
}

namespace {

// Takes bytes into four bytes of its own.
struct Small : eddy::BufferedProtocol {
  explicit Small(Log& to) : log(to) {}
  void connection_made(eddy::Transport& t) override { transport = &t; }
  std::span<char> get_buffer(std::size_t) override {
    if (broken) return {};
    return space;
  }
  void buffer_updated(std::size_t count) override { log(std::string_view(space, count)); }
  bool eof_received() override {
    log("eof");
    return false;
  }
  void connection_lost(std::exception_ptr error) override { log("lost", error ? "with an error" : "well"); }
  Log& log;
  eddy::Transport* transport = nullptr;
  char space[4] = {};
  bool broken = false;
};

}  // namespace

ASYNC_TEST(Protocols, PR_3_ABufferedProtocolsMemoryIsFilled) {
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Small>(log); };
  auto pair = co_await connect_protocol(factory);
  pair.peer.writer.write("123456789");
  pair.peer.writer.close();
  co_await settle();
  EXPECT_EQ(log, "1234, 5678, 9, eof, lost well");
}

ASYNC_TEST(Protocols, PR_3_AnEmptyBufferIsAnError) {
  Log& log = fresh_log();
  auto reports = watch_reports();
  auto factory = [&] { return std::make_unique<Small>(log); };
  auto pair = co_await connect_protocol(factory);
  pair.connection.protocol->broken = true;
  pair.peer.writer.write("1");
  co_await settle();
  pair.peer.writer.write("1");
  co_await settle();
  EXPECT_NE(log.str().find("lost with an error"), std::string::npos) << log.str();
  EXPECT_NE(reports->find("Fatal error: protocol.get_buffer() call failed."), std::string::npos) << *reports;
  EXPECT_NE(reports->find("get_buffer() returned an empty buffer"), std::string::npos) << *reports;
}

ASYNC_TEST(Protocols, SetProtocolTakesEffectFromTheNextPieceAndKeepsTheOldOneUntilTheEnd) {
  Log& log = fresh_log();
  struct Upgrader : Recorder {
    using Recorder::Recorder;
    ~Upgrader() override { log("old one destroyed"); }
    void data_received(std::string_view data) override {
      Recorder::data_received(data);
      transport->set_protocol(std::make_unique<Small>(log));
      log("upgraded");
    }
  };
  {
    auto factory = [&] { return std::make_unique<Upgrader>(log); };
    auto pair = co_await connect_protocol(factory, {.piece = 6});
    pair.peer.writer.write("first secnd");
    co_await settle();
    pair.peer.writer.close();
    co_await settle();
    EXPECT_EQ(log, "made, data first , upgraded, secn, d, eof, lost well");
  }
  EXPECT_EQ(log, "made, data first , upgraded, secn, d, eof, lost well, old one destroyed");
}

ASYNC_TEST(Protocols, BytesReceivedForOneProtocolReachTheNextOne) {
  Log& log = fresh_log();
  auto factory = [&] { return std::make_unique<Recorder>(log); };
  auto pair = co_await connect_protocol(factory);
  pair.peer.writer.write("0123456789");
  // The bytes may be on their way or here already: either way none is lost.
  co_await eddy::sleep(0s);
  pair.connection.transport->set_protocol(std::make_unique<Small>(log));
  co_await settle();
  EXPECT_EQ(log, "made, 0123, 4567, 89");
  pair.connection.transport->close();
  co_await settle();
}

ASYNC_TEST(Protocols, CallbacksRunInTheContextOfTheConnection) {
  static eddy::ContextVar<int> number("number", 0);
  Log& log = fresh_log();
  struct Seer : Recorder {
    using Recorder::Recorder;
    void data_received(std::string_view) override { log("sees", number.get()); }
  };
  auto factory = [&] { return std::make_unique<Seer>(log); };
  number.set(1);
  auto pair = co_await connect_protocol(factory);
  number.set(2);
  pair.peer.writer.write("x");
  co_await settle();
  EXPECT_EQ(log, "made, sees 1");
  pair.connection.transport->close();
  co_await settle();
  number.set(0);
}

ASYNC_TEST(Protocols, ACancelledConnectClosesTheTransportInOrder) {
  Log& log = fresh_log();
  auto connect = [&]() -> Coro<> {
    auto factory = [&] { return std::make_unique<Recorder>(log); };
    auto pair = co_await connect_protocol(factory);
    log("connected");
  };
  auto task = eddy::create_task(connect());
  co_await eddy::sleep(0s);
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log, "made, lost well");
}

namespace {

// An exchange with a protocol in the middle, for the sweeps.
struct Upper : eddy::Protocol {
  void connection_made(eddy::Transport& t) override { transport = &t; }
  void data_received(std::string_view data) override {
    std::string text(data);
    for (char& c : text) c = static_cast<char>(std::toupper(c));
    transport->write(text);
  }
  eddy::Transport* transport = nullptr;
};

Coro<> exchange() {
  auto factory = [] { return std::make_unique<Upper>(); };
  auto pair = co_await connect_protocol(factory, {.room = 3});
  struct Close {
    eddy::Transport& transport;
    ~Close() { transport.close(); }
  } close{*pair.connection.transport};
  for (int i = 0; i < 3; ++i) {
    pair.peer.writer.write("hello");
    const auto answer = co_await pair.peer.reader.readexactly(5);
    if (answer != "HELLO") throw std::logic_error("wrong answer: " + answer);
  }
}

// The far end may still have to notice: let it.
Coro<> exchange_and_settle() {
  std::exception_ptr error;
  try {
    co_await exchange();
  } catch (...) {
    error = std::current_exception();
  }
  for (int i = 0; i < 10; ++i) co_await eddy::sleep(0s);
  if (error) std::rethrow_exception(error);
}

}  // namespace

TEST(Protocols, AnExchangeEndsWellWhereverItIsCancelledOrFails) {
  EXPECT_GT(eddy::testing::cancel_everywhere(exchange), 3u);
  EXPECT_GT(eddy::testing::fail_everywhere(exchange, eddy::OSError(ECONNRESET, "read")), 2u);
  EXPECT_GT(eddy::testing::cancel_everywhere(exchange_and_settle), 3u);
}

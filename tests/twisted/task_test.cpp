// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <eddy/twisted.hpp>

#include <memory>
#include <string>
#include <thread>

#include "support.hpp"

namespace {

using eddy::testing::Log;
using eddy::testing::now;
using eddy::twisted::Deferred;
using eddy::twisted::Failure;
using eddy::twisted::LoopingCall;

}  // namespace

ASYNC_TEST(LoopingCall, TWI_08_CallsAtWholeIntervalsUntilItIsStopped) {
  Log log;
  LoopingCall call([&] { log(now()); });
  auto done = call.start(2s);
  bool stopped = false;
  done.add_callback([&] { stopped = true; });
  co_await eddy::sleep(5s);
  call.stop();
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(call.running());
  co_await eddy::sleep(5s);
  EXPECT_EQ(log, "0s, 2s, 4s");
}

ASYNC_TEST(LoopingCall, TWI_08_MayBeginAfterOneInterval) {
  Log log;
  LoopingCall call([&] { log(now()); });
  auto done = call.start(1s, false);
  co_await eddy::sleep(2500ms);
  call.reset();
  co_await eddy::sleep(1200ms);
  call.stop();
  EXPECT_EQ(log, "1s, 2s, 3.5s");
}

ASYNC_TEST(LoopingCall, TWI_08_ADeferredIsWaitedForAndMissedCallsAreSkipped) {
  Log log;
  LoopingCall call([&] {
    log(now());
    return eddy::twisted::defer_later(2500ms, [] {});
  });
  auto done = call.start(1s);
  co_await eddy::sleep(6500ms);
  call.stop();
  co_await done;
  EXPECT_EQ(log, "0s, 3s, 6s");
  EXPECT_EQ(now(), 8500ms);
}

ASYNC_TEST(LoopingCall, TWI_08_WhatItThrowsEndsIt) {
  int calls = 0;
  LoopingCall call([&] {
    if (++calls == 2) throw std::runtime_error("enough");
  });
  auto done = call.start(1s);
  auto wait = [&]() -> Coro<> { static_cast<void>(co_await done); };
  auto error = co_await eddy::testing::error_of<std::runtime_error>(wait());
  EXPECT_EQ(std::string(error.what()), "enough");
  EXPECT_FALSE(call.running());
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, call.stop()), "LoopingCall: it does not run");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(call.start(-1s))), "LoopingCall: the interval must not be below 0");
}

ASYNC_TEST(LoopingCall, ItMayGoWhileACallIsUnderWay) {
  Deferred pending;
  {
    LoopingCall call([&] { return pending; });
    auto done = call.start(1s);
    EXPECT_EQ(TEXT_OF(eddy::RuntimeError, static_cast<void>(call.start(1s))), "LoopingCall: it runs already");
  }
  pending.callback();
  co_await eddy::sleep(5s);
}

ASYNC_TEST(DeferLater, TWI_08_CallsOnceAndCanBeCancelled) {
  Log log;
  auto d = eddy::twisted::defer_later(3s, [] { return 7; });
  EXPECT_EQ(co_await d.as<int>(), 7);
  EXPECT_EQ(now(), 3s);
  auto never = eddy::twisted::defer_later(1s, [&] { log("never"); });
  never.add_errback([&](Failure failure) { log(failure.message()); });
  never.cancel();
  co_await eddy::sleep(2s);
  EXPECT_EQ(log, "the Deferred was cancelled");
}

TEST(Reactor, TWI_03_RunsTimersThreadsServersAndClients) {
  Log log;
  struct Echo : eddy::twisted::Protocol {
    void data_received(std::string_view data) override { transport()->write(data); }
  };
  struct Asker : eddy::twisted::Protocol {
    Asker(Log* to, eddy::twisted::Reactor* owner) : log(*to), reactor(*owner) {}
    void connection_made() override { transport()->write("hello"); }
    void data_received(std::string_view data) override {
      log("echoed", data);
      lose_connection();
    }
    void connection_lost(const Failure& reason) override {
      log(reason.message());
      reactor.stop();
    }
    Log& log;
    eddy::twisted::Reactor& reactor;
  };
  eddy::twisted::Reactor reactor;
  reactor.call_when_running([&] { log("running", reactor.running()); });
  auto listening = reactor.listen_tcp(0, eddy::twisted::Factory::for_protocol<Echo>(), "127.0.0.1");
  listening.add_callback([&](const eddy::Server& server) {
    log("listening");
    return reactor.connect_tcp("127.0.0.1", server.port(), eddy::twisted::Factory::for_protocol<Asker>(&log, &reactor));
  });
  listening.add_errback([&](const Failure& failure) {
    log(failure.message());
    reactor.stop();
  });
  auto late = reactor.call_later(1h, [] {});
  std::thread other([&] { reactor.call_from_thread([&] { late.cancel(); }); });
  reactor.run();
  other.join();
  EXPECT_EQ(log, "running 1, listening, echoed hello, the connection was closed cleanly");
}

BACKEND_TEST(DeferToThread, TWI_03_GivesTheFunctionsResult) {
  const auto here = std::this_thread::get_id();
  auto d = eddy::twisted::defer_to_thread([](std::thread::id caller) { return std::this_thread::get_id() != caller; }, here);
  EXPECT_TRUE(co_await d.as<bool>());
}

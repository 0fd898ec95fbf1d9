// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::Timeout;
using eddy::TimeoutError;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

Coro<int> give(int value, eddy::Duration after) {
  co_await eddy::sleep(after);
  co_return value;
}

}  // namespace

ASYNC_TEST(Timeouts, SCOPE_11_CancelTheBodyFirstThenSayHowLongTheyWaited) {
  Log log;
  auto body = [&]() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      log("unwound at", now());
      throw;
    }
  };
  auto error = co_await error_of<TimeoutError>(eddy::timeout(5s, body()));
  EXPECT_EQ(log.str(), "unwound at 5s");
  EXPECT_STREQ(error.what(), "timed out after 5s");
  EXPECT_EQ(now(), 5s);
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
}

ASYNC_TEST(Timeouts, GiveTheValueInTime) {
  EXPECT_EQ(co_await eddy::timeout(5s, give(1, 4s)), 1);
  EXPECT_EQ(co_await eddy::timeout_at(loop().time() + 5s, give(2, 4s)), 2);
  co_await eddy::sleep(1h);  // SCOPE-13: no effect afterwards
  EXPECT_EQ(co_await eddy::timeout(eddy::Duration::max(), give(3, 1h)), 3);
}

ASYNC_TEST(Timeouts, AtADeadlineSaySo) {
  auto error = co_await error_of<TimeoutError>(eddy::timeout_at(loop().time() + 5s, eddy::sleep(1h)));
  EXPECT_STREQ(error.what(), "timed out at the deadline");
  EXPECT_EQ(now(), 5s);
}

ASYNC_TEST(Timeouts, SCOPE_14_InThePastCancelAtTheFirstAwait) {
  for (auto limit : {0s, -5s}) {
    Log log;
    auto body = [&]() -> Coro<> {
      log("began");
      co_await eddy::sleep(0s);
      log("never");
    };
    co_await error_of<TimeoutError>(eddy::timeout(limit, body()));
    EXPECT_EQ(log.str(), "began");
  }
  auto plain = []() -> Coro<int> { co_return 1; };
  EXPECT_EQ(co_await eddy::timeout(-1s, plain()), 1);  // never waits: never cancelled
}

// 2.2 item 19
ASYNC_TEST(Timeouts, SCOPE_12_NestedBelongToTheOneThatExpired) {
  Log log;
  auto inner = [&]() -> Coro<> {
    try {
      co_await eddy::timeout(10s, eddy::sleep(1h));
    } catch (const TimeoutError&) {
      log("inner");
    } catch (const CancelledError&) {
      log("cancelled");
      throw;
    }
  };
  auto error = co_await error_of<TimeoutError>(eddy::timeout(5s, inner()));
  EXPECT_STREQ(error.what(), "timed out after 5s");
  co_await eddy::timeout(20s, inner());
  EXPECT_EQ(log.str(), "cancelled, inner");
  EXPECT_EQ(now(), 15s);
}

ASYNC_TEST(Timeouts, SCOPE_12_NestedOfTheSameMomentEndWithTheOuter) {
  auto inner = []() -> Coro<> { co_await eddy::timeout(5s, eddy::sleep(1h)); };
  co_await error_of<TimeoutError>(eddy::timeout(5s, inner()));
  EXPECT_EQ(now(), 5s);
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
  co_await eddy::sleep(1s);  // nothing is left of the cancellations
}

ASYNC_TEST(Timeouts, SCOPE_13_ThatWouldExpireAfterTheirBlockHaveNoEffect) {
  co_await eddy::timeout(1s, eddy::sleep(999ms));
  co_await eddy::sleep(1h);
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
}

ASYNC_TEST(Timeouts, SCOPE_15_MoveForwardBackwardAndAway) {
  auto forward = [](Timeout& scope) -> Coro<> {
    scope.reschedule(loop().time() + 10s);
    co_await eddy::sleep(7s);
  };
  co_await eddy::timeout(5s, forward);
  auto backward = [](Timeout& scope) -> Coro<> {
    scope.reschedule(loop().time() + 1s);
    co_await eddy::sleep(3s);
  };
  co_await error_of<TimeoutError>(eddy::timeout(5s, backward));
  EXPECT_EQ(now(), 8s);
  auto away = [](Timeout& scope) -> Coro<> {
    EXPECT_EQ(scope.when(), loop().time() + 5s);
    scope.reschedule(eddy::TimePoint::max());
    EXPECT_EQ(scope.when(), eddy::TimePoint::max());
    co_await eddy::sleep(1h);
    EXPECT_FALSE(scope.expired());
  };
  co_await eddy::timeout(5s, away);
}

ASYNC_TEST(Timeouts, SCOPE_15_MovedToThePastAgainAndAgainExpireOnce) {
  auto body = [](Timeout& scope) -> Coro<> {
    for (int i = 0; i < 3; ++i) scope.reschedule(loop().time() - 1s);
    scope.reschedule(loop().time());
    co_await eddy::sleep(1h);
  };
  co_await error_of<TimeoutError>(eddy::timeout(5s, body));
  EXPECT_EQ(now(), 0s);
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
  auto reprieved = [](Timeout& scope) -> Coro<> {
    scope.reschedule(loop().time());
    scope.reschedule(loop().time() + 5s);
    co_await eddy::sleep(1s);
  };
  co_await eddy::timeout(5s, reprieved);
}

// 2.2 item 19
ASYNC_TEST(Timeouts, ThatExpiredCannotBeMoved) {
  std::string text;
  auto body = [&](Timeout& scope) -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      EXPECT_TRUE(scope.expired());
      text = TEXT_OF(eddy::RuntimeError, scope.reschedule(loop().time() + 1s));
      throw;
    }
  };
  co_await error_of<TimeoutError>(eddy::timeout(1s, body));
  EXPECT_EQ(text, "a timeout that has expired cannot be rescheduled");
}

ASYNC_TEST(Timeouts, SCOPE_16_LetAForeignExceptionPass) {
  auto body = []() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::runtime_error("mine");
  };
  EXPECT_STREQ((co_await error_of<std::runtime_error>(eddy::timeout(1s, body()))).what(), "mine");
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
}

// 2.2 item 19
ASYNC_TEST(Timeouts, SCOPE_17_LeaveACancellationFromOutsideACancellation) {
  auto body = []() -> Coro<> { co_await eddy::timeout(10s, eddy::sleep(1h)); };
  auto task = eddy::create_task(body());
  co_await eddy::sleep(1s);
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Timeouts, WAIT_09_AtTheSameMomentAsACancellationAreACancellation) {
  auto body = []() -> Coro<> { co_await eddy::timeout(10s, eddy::sleep(1h)); };
  auto task = eddy::create_task(body());
  loop().call_later(10s, [&] { task.cancel(); });
  co_await eddy::sleep(20s);
  EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Timeouts, SCOPE_21_AThousandNestedWork) {
  struct Nest {
    static Coro<int> down(int depth) {
      if (depth == 0) co_return co_await give(1, 1s);
      const int value = co_await eddy::timeout(1h, down(depth - 1));
      co_return value + 1;
    }
  };
  EXPECT_EQ(co_await Nest::down(1000), 1001);
  EXPECT_EQ(now(), 1s);
}

ASYNC_TEST(WaitFor, WAIT_07_GivesTheValueOrCancelsWaitsAndThrows) {
  EXPECT_EQ(co_await eddy::wait_for(give(1, 1s), 2s), 1);
  Log log;
  auto slow = [&]() -> Coro<> {
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      cancelled = true;
    }
    if (cancelled) co_await eddy::sleep(3s);
    log("clean at", now());
    throw CancelledError();
  };
  auto task = eddy::create_task(slow());
  auto error = co_await error_of<TimeoutError>(eddy::wait_for(task, 2s));
  EXPECT_STREQ(error.what(), "timed out after 2s");
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "clean at 6s");
}

// 2.2 item 18
ASYNC_TEST(WaitFor, GivesTheValueOfOneThatSwallowsTheCancellation) {
  auto stubborn = []() -> Coro<int> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    co_return 5;
  };
  EXPECT_EQ(co_await eddy::wait_for(eddy::create_task(stubborn()), 1s), 5);
  EXPECT_EQ(co_await eddy::wait_for(stubborn(), 1s), 5);
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
}

ASYNC_TEST(WaitFor, WAIT_08_WithNoTimeCancelsWithoutRunning) {
  Log log;
  auto body = [&]() -> Coro<int> {
    log("ran");
    co_return 1;
  };
  for (auto limit : {0s, -1s}) {
    auto error = co_await error_of<TimeoutError>(eddy::wait_for(body(), limit));
    EXPECT_STREQ(error.what(), "timed out: there was no time at all");
  }
  EXPECT_EQ(log.str(), "");
  auto done = eddy::create_task(body());
  co_await done;
  EXPECT_EQ(co_await eddy::wait_for(done, 0s), 1);
}

ASYNC_TEST(WaitFor, WAIT_09_PassesACancellationFromOutsideOn) {
  auto inner = eddy::create_task(eddy::sleep(1h));
  auto body = [&]() -> Coro<> { co_await eddy::wait_for(inner, 10s); };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled() && inner.cancelled());
}

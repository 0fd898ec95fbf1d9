// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

// The numbers are those of the statements on cancellation in docs/cancellation.md.

namespace {

eddy::Future<int> make_future() { return eddy::get_running_loop().create_future<int>(); }

}  // namespace

// 1
ASYNC_TEST(Cancel, TASK_13_OfADoneTaskGivesFalse) {
  auto task = eddy::create_task(eddy::sleep(0s));
  co_await task;
  EXPECT_FALSE(task.cancel());
  EXPECT_EQ(task.cancelling(), 0);
  EXPECT_FALSE(task.cancelled());
}

TEST(Cancel, GoesRoundARingOfTasksOnce) {
  auto ring = []() -> Coro<> {
    Task<> first, second, third;
    auto await_second = [&]() -> Coro<> { co_await second; };
    auto await_third = [&]() -> Coro<> { co_await eddy::gather(third); };
    auto await_first = [&]() -> Coro<> { co_await first; };
    first = eddy::create_task(await_second());
    second = eddy::create_task(await_third());
    third = eddy::create_task(await_first());
    co_await settle();
    EXPECT_TRUE(first.cancel());
    EXPECT_FALSE(first.done() || second.done() || third.done());
    co_await settle();
    co_await first;
  };
  EXPECT_THROW(eddy::testing::run(ring()), eddy::DeadlockError);  // nobody can end first: but it is told
}

// 1
ASYNC_TEST(Cancel, IsCountedAndTakesEffectLater) {
  auto task = eddy::create_task(eddy::sleep(1h));
  co_await settle();
  EXPECT_TRUE(task.cancel());
  EXPECT_TRUE(task.cancel());
  EXPECT_EQ(task.cancelling(), 2);
  EXPECT_FALSE(task.cancelled() || task.done());
  co_await settle();
  EXPECT_TRUE(task.cancelled());
}

// 2
ASYNC_TEST(Cancel, TASK_06_BeforeTheFirstStepTheBodyNeverRuns) {
  Log log;
  auto token = std::make_shared<int>();
  auto body = [&](std::shared_ptr<int>) -> Coro<> {
    log("ran");
    co_return;
  };
  auto task = eddy::create_task(body(token));
  EXPECT_TRUE(task.cancel());
  EXPECT_FALSE(task.cancelled());
  co_await eddy::sleep(0s);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(log.str(), "");
}

// 3
ASYNC_TEST(Cancel, TASK_07_OfAnAwaitedFutureReachesTheFuture) {
  auto future = make_future();
  auto wait = [&]() -> Coro<int> { co_return co_await future; };
  auto a = eddy::create_task(wait());
  auto b = eddy::create_task(wait());
  co_await settle();
  a.cancel();
  EXPECT_TRUE(future.cancelled());
  co_await settle();
  EXPECT_TRUE(a.cancelled());
  EXPECT_TRUE(b.cancelled());
}

// 3
ASYNC_TEST(Cancel, TASK_14_ReachesTheInnermostTaskAndComesBackOutward) {
  Log log;
  auto inner = [&]() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      log("inner");
      throw;
    }
  };
  auto outer = [&]() -> Coro<> {
    auto task = eddy::create_task(inner());
    try {
      co_await task;
    } catch (const CancelledError&) {
      log("outer", task.cancelled());
      throw;
    }
  };
  auto task = eddy::create_task(outer());
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_EQ(log.str(), "inner, outer 1");
}

// 4
ASYNC_TEST(Cancel, TASK_12_TwiceBeforeTheStepArrivesOnce) {
  int caught = 0;
  auto body = [&]() -> Coro<int> {
    for (int i = 0; i < 2; ++i) {
      try {
        co_await eddy::sleep(1s);
      } catch (const CancelledError&) {
        ++caught;
      }
    }
    co_return eddy::current_task().cancelling();
  };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  task.cancel();
  EXPECT_EQ(co_await task, 2);
  EXPECT_EQ(caught, 1);
}

// 5
ASYNC_TEST(Cancel, TASK_09_ThatIsSwallowedLetsTheTaskFinish) {
  auto body = []() -> Coro<int> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    co_await eddy::sleep(1s);
    co_return 5;
  };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  EXPECT_EQ(co_await task, 5);
  EXPECT_FALSE(task.cancelled());
  EXPECT_EQ(task.cancelling(), 1);
}

// 6
ASYNC_TEST(Cancel, TASK_11_AfterTheFutureIsDoneButBeforeTheWakeupIsNotLost) {
  auto future = make_future();
  auto wait = [&]() -> Coro<int> { co_return co_await future; };
  auto task = eddy::create_task(wait());
  co_await settle();
  future.set_result(1);
  EXPECT_TRUE(task.cancel());
  co_await settle();
  EXPECT_TRUE(task.cancelled());
}

// 7
ASYNC_TEST(Cancel, OfItselfWithoutAnotherAwaitEndsCancelled) {
  auto body = []() -> Coro<int> {
    eddy::current_task().cancel();
    co_return 1;
  };
  auto task = eddy::create_task(body());
  co_await settle();
  EXPECT_TRUE(task.cancelled());
}

// 7
ASYNC_TEST(Cancel, TASK_10_OfItselfIsRaisedAtTheNextAwaitThatWaits) {
  Log log;
  auto done = make_future();
  done.set_result(1);
  auto nothing = []() -> Coro<> { co_return; };
  auto body = [&]() -> Coro<> {
    eddy::current_task().cancel();
    co_await nothing();
    log("plain coroutine");
    co_await done;
    log("done future");
    co_await eddy::sleep(0s);
    log("never");
  };
  auto task = eddy::create_task(body());
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "plain coroutine, done future");
}

// 8
ASYNC_TEST(Cancel, ReachesAChildAgainThatIgnoredItOnce) {
  Log log;
  auto stubborn = [&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      try {
        co_await eddy::sleep(1h);
      } catch (const CancelledError&) {
        log("ignored");
        if (i == 1) throw;
      }
    }
  };
  auto child = eddy::create_task(stubborn());
  auto wait = [&]() -> Coro<> { co_await child; };
  auto parent = eddy::create_task(wait());
  co_await settle();
  parent.cancel();
  co_await settle();
  EXPECT_FALSE(parent.done());
  parent.cancel();
  co_await settle();
  EXPECT_TRUE(parent.cancelled() && child.cancelled());
  EXPECT_EQ(log.str(), "ignored, ignored");
}

// 9
ASYNC_TEST(Cancel, CarriesTheLastMessage) {
  auto message_of = [](Task<> task) -> Coro<std::string> {
    try {
      co_await task;
    } catch (const CancelledError& error) {
      co_return error.message();
    }
    co_return "not cancelled";
  };
  auto task = eddy::create_task(eddy::sleep(1h));
  task.cancel("first");
  task.cancel("last");
  EXPECT_EQ(co_await message_of(task), "last");
  auto plain = eddy::create_task(eddy::sleep(1h));
  co_await settle();
  plain.cancel();
  EXPECT_EQ(co_await message_of(plain), "");
}

// 9
ASYNC_TEST(Cancel, CarriesItsMessageThroughAGather) {
  std::string seen;
  auto body = [&]() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError& error) {
      seen = error.message();
      throw;
    }
  };
  auto group = [&]() -> Coro<> { co_await eddy::gather(body(), eddy::sleep(1h)); };
  auto task = eddy::create_task(group());
  co_await settle();
  task.cancel("the shop closes");
  co_await settle();
  EXPECT_EQ(seen, "the shop closes");
  EXPECT_TRUE(task.cancelled());
}

// 10
ASYNC_TEST(Cancel, ThatWasNotDeliveredIsTakenBackByUncancel) {
  auto body = []() -> Coro<int> {
    eddy::current_task().cancel();
    EXPECT_EQ(eddy::current_task().uncancel(), 0);
    EXPECT_EQ(eddy::current_task().uncancel(), 0);
    co_await eddy::sleep(1s);
    co_return 1;
  };
  EXPECT_EQ(co_await eddy::create_task(body()), 1);
}

// 10
ASYNC_TEST(Cancel, ThatWasDeliveredIsNotUndoneByUncancel) {
  auto task = eddy::create_task(eddy::sleep(1h));
  co_await settle();
  task.cancel();
  EXPECT_EQ(task.uncancel(), 0);
  co_await settle();
  EXPECT_TRUE(task.cancelled());
}

// 11
ASYNC_TEST(Cancel, IsWhatATaskEndsAsThatThrowsCancelledError) {
  auto body = []() -> Coro<int> {
    throw CancelledError();
    co_return 1;
  };
  auto task = eddy::create_task(body());
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_THROW(task.result(), CancelledError);
  EXPECT_THROW(task.exception(), CancelledError);
}

// 12
ASYNC_TEST(Cancel, IsReplacedByWhatTheCleanUpThrows) {
  auto body = []() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::runtime_error("clean-up failed");
  };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  EXPECT_STREQ((co_await error_of<std::runtime_error>(task)).what(), "clean-up failed");
  EXPECT_FALSE(task.cancelled());
}

ASYNC_TEST(Cancel, TASK_08_LetsTheTaskCleanUpWithFurtherAwaits) {
  Log log;
  auto body = [&]() -> Coro<> {
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      cancelled = true;
    }
    co_await eddy::sleep(3s);
    log("clean at", now());
    if (cancelled) throw CancelledError();
  };
  auto task = eddy::create_task(body());
  co_await eddy::sleep(1s);
  task.cancel();
  co_await eddy::sleep(10s);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "clean at 4s");
}

// CancelledError is no std::exception: a catch-all of errors lets it pass.
ASYNC_TEST(Cancel, PassesThroughCatchOfStdException) {
  auto body = []() -> Coro<int> {
    try {
      co_await eddy::sleep(1h);
    } catch (const std::exception&) {
      co_return 1;
    }
    co_return 2;
  };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
}

// A sleep that is over but has not run yet.
ASYNC_TEST(Cancel, AtTheMomentASleepEndsIsNotLost) {
  auto task = eddy::create_task(eddy::sleep(1s));
  eddy::get_running_loop().call_later(1s, [&] { EXPECT_TRUE(task.cancel()); });
  co_await eddy::sleep(5s);
  EXPECT_TRUE(task.cancelled());
}

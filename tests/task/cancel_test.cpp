// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::testing::Log;
using eddy::testing::now;

// The numbers are those of the statements on cancellation in docs/cancellation.md.

ASYNC_TEST(Cancel, BeforeTheFirstStepTheBodyNeverRuns) {
  Log log;
  auto body = [&]() -> Coro<> {
    log("ran");
    co_return;
  };
  auto task = eddy::create_task(body());
  EXPECT_TRUE(task.cancel());
  EXPECT_FALSE(task.cancelled());
  co_await eddy::sleep(0s);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "");
}

ASYNC_TEST(Cancel, OfAnAwaitedFutureReachesTheFuture) {
  auto future = eddy::get_running_loop().create_future<int>();
  auto wait = [&]() -> Coro<int> { co_return co_await future; };
  auto a = eddy::create_task(wait());
  auto b = eddy::create_task(wait());
  co_await eddy::testing::settle();
  a.cancel();
  EXPECT_TRUE(future.cancelled());
  co_await eddy::testing::settle();
  EXPECT_TRUE(a.cancelled());
  EXPECT_TRUE(b.cancelled());
}

ASYNC_TEST(Cancel, TimeoutCancelsItsBodyFirstThenSaysHowLongItWaited) {
  Log log;
  auto body = [&]() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const eddy::CancelledError&) {
      log("unwound at", now());
      throw;
    }
  };
  auto error = co_await eddy::testing::error_of<eddy::TimeoutError>(eddy::timeout(5s, body()));
  EXPECT_EQ(log.str(), "unwound at 5s");
  EXPECT_STREQ(error.what(), "timed out after 5s");
  EXPECT_EQ(now(), 5s);
}

TEST(Cancel, EverywhereInALockedQueueLeavesNothing) {
  auto scenario = []() -> Coro<> {
    eddy::Lock lock;
    eddy::Queue<int> queue(1);
    auto producer = [&]() -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        auto held = co_await lock;
        co_await queue.put(i);
        co_await eddy::sleep(1ms);
      }
    };
    auto consumer = [&]() -> Coro<> {
      for (int i = 0; i < 3; ++i) co_await queue.get();
    };
    co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(producer());
      group.create_task(consumer());
      co_await eddy::timeout(10s, eddy::sleep(2ms));
    });
  };
  EXPECT_GT(eddy::testing::cancel_everywhere(scenario), 4u);
}

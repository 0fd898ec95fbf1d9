// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::CapacityLimiter;
using eddy::testing::error_of;
using eddy::testing::Log;

ASYNC_TEST(CapacityLimiter, TRI_06_NeverLendsMoreThanItsTokens) {
  CapacityLimiter limiter(2);
  int inside = 0, most = 0;
  auto work = [&]() -> Coro<> {
    auto token = co_await limiter;
    most = std::max(most, ++inside);
    co_await eddy::sleep(1s);
    --inside;
  };
  co_await eddy::gather(work(), work(), work(), work(), work());
  EXPECT_EQ(most, 2);
  EXPECT_EQ(eddy::testing::now(), 3s);
  EXPECT_EQ(limiter.borrowed_tokens(), 0u);
}

ASYNC_TEST(CapacityLimiter, SYNC_15_TokensReturnAfterErrorsAndCancellations) {
  CapacityLimiter limiter(1);
  auto fail = [&]() -> Coro<> {
    auto token = co_await limiter;
    throw eddy::KeyError("no");
  };
  auto hang = [&]() -> Coro<> {
    auto token = co_await limiter;
    co_await eddy::sleep(1h);
  };
  co_await error_of<eddy::KeyError>(fail());
  auto holder = eddy::create_task(hang());
  auto waiter = eddy::create_task(hang());
  co_await eddy::testing::settle();
  EXPECT_EQ(limiter.statistics().tasks_waiting, 1u);
  waiter.cancel();
  co_await error_of<CancelledError>(waiter);
  holder.cancel();
  co_await error_of<CancelledError>(holder);
  EXPECT_EQ(limiter.available_tokens(), 1);
  auto token = co_await limiter;
}

// The token was handed over, and its receiver is cancelled before it runs: it is the next one's.
ASYNC_TEST(CapacityLimiter, ACancelledReceiverPassesItsTokenOn) {
  CapacityLimiter limiter(1);
  Log log;
  auto work = [&](int n) -> Coro<> {
    auto token = co_await limiter;
    log(n);
  };
  co_await limiter.acquire();
  auto first = eddy::create_task(work(1));
  auto second = eddy::create_task(work(2));
  co_await eddy::testing::settle();
  limiter.release();
  first.cancel();
  co_await error_of<CancelledError>(first);
  co_await second;
  EXPECT_EQ(log.str(), "2");
  EXPECT_EQ(limiter.borrowed_tokens(), 0u);
}

ASYNC_TEST(CapacityLimiter, TRI_06_KnowsItsBorrowers) {
  CapacityLimiter limiter(2);
  int connection = 0;
  co_await limiter.acquire();
  co_await limiter.acquire_on_behalf_of(&connection);
  EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(limiter.acquire())).what(),
               "this borrower holds one of the capacity limiter's tokens already");
  EXPECT_EQ(limiter.statistics().borrowers.size(), 2u);
  limiter.release_on_behalf_of(&connection);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, limiter.release_on_behalf_of(&connection)),
            "this borrower holds none of the capacity limiter's tokens");
  limiter.release();
}

ASYNC_TEST(CapacityLimiter, TRI_06_CanBeResized) {
  CapacityLimiter limiter(1);
  int inside = 0;
  auto work = [&]() -> Coro<> {
    auto token = co_await limiter;
    ++inside;
    co_await eddy::sleep(1s);
    --inside;
  };
  auto all = eddy::create_task(eddy::gather(work(), work(), work(), work()));
  co_await eddy::testing::settle();
  EXPECT_EQ(inside, 1);
  limiter.set_total_tokens(3);
  co_await eddy::testing::settle();
  EXPECT_EQ(inside, 3);
  limiter.set_total_tokens(1);
  EXPECT_EQ(limiter.available_tokens(), -2);
  co_await all;
  EXPECT_EQ(eddy::testing::now(), 2s);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, limiter.set_total_tokens(0)),
            "a capacity limiter needs at least one token");
}

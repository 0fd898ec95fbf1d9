// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <array>

#include "support.hpp"

namespace {

Coro<int> recurse(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await recurse(depth - 1);
  co_return below + 1;
}

Coro<int> recurse_and_wait(int depth) {
  if (depth == 0) {
    co_await eddy::sleep(1s);
    co_return 0;
  }
  const int below = co_await recurse_and_wait(depth - 1);
  co_return below + 1;
}

Coro<> recurse_and_throw(int depth) {
  if (depth == 0) throw std::runtime_error("from the bottom");
  co_await recurse_and_throw(depth - 1);
}

}  // namespace

ASYNC_TEST(Depth, TASK_20_AMillionAwaitsInARowDoNotGrowTheStack) {
  auto one = []() -> Coro<int> { co_return 1; };
  auto done = eddy::create_task(one());
  co_await done;
  int sum = 0;
  for (int i = 0; i < 1'000'000; ++i) sum += co_await one();
  for (int i = 0; i < 100'000; ++i) sum += co_await done;
  EXPECT_EQ(sum, 1'100'000);
}

ASYNC_TEST(Depth, TASK_21_ARecursionOf100000EndsWithAndWithoutAWait) {
  EXPECT_EQ(co_await recurse(100'000), 100'000);
  EXPECT_EQ(co_await recurse_and_wait(100'000), 100'000);
}

ASYNC_TEST(Depth, AnExceptionClimbsADeepChain) {
  const auto error = co_await eddy::testing::error_of<std::runtime_error>(recurse_and_throw(3'000));
  EXPECT_STREQ(error.what(), "from the bottom");
}

ASYNC_TEST(Depth, ACancellationClimbsADeepChain) {
  auto task = eddy::create_task(recurse_and_wait(3'000));
  co_await eddy::testing::settle();
  task.cancel();
  co_await eddy::testing::settle();
  EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Depth, TASK_22_AHundredThousandSleepersWork) {
  int awake = 0;
  auto sleeper = [&](int i) -> Coro<> {
    co_await eddy::sleep(i % 100 * 1ms);
    ++awake;
  };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 100'000; ++i) tasks.push_back(eddy::create_task(sleeper(i)));
  co_await eddy::gather(std::move(tasks));
  EXPECT_EQ(awake, 100'000);
  EXPECT_EQ(eddy::testing::now(), 99ms);
}

ASYNC_TEST(Depth, TASK_04_AChainOfTasksThatAwaitEachOtherEnds) {
  auto link = [](Task<int> before) -> Coro<int> {
    const int value = co_await before;
    co_return value + 1;
  };
  auto zero = []() -> Coro<int> { co_return 0; };
  auto task = eddy::create_task(zero());
  for (int i = 0; i < 10'000; ++i) task = eddy::create_task(link(task));
  EXPECT_EQ(co_await task, 10'000);
}

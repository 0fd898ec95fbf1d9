// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::Log;
using eddy::testing::now;

// 2.2 item 32, TASK-19
TEST(Run, CancelsWhatIsLeftAndWaitsForIt) {
  Log log;
  auto child = [&](int id) -> Coro<> {
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      cancelled = true;
    }
    if (cancelled) co_await eddy::sleep(id * 1s);
    log(id, "clean at", now());
  };
  auto main = [&]() -> Coro<int> {
    eddy::create_task(child(2));
    eddy::create_task(child(1));
    co_await eddy::sleep(1s);
    co_return 5;
  };
  EXPECT_EQ(eddy::testing::run(main()), 5);
  EXPECT_EQ(log.str(), "1 clean at 2s, 2 clean at 3s");
}

TEST(Run, TASK_19_ReportsWhatACancelledTaskThrows) {
  std::string message;
  auto child = []() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::runtime_error("clean-up failed");
  };
  int made = 0;
  auto main = [&]() -> Coro<> {
    eddy::get_running_loop().set_exception_handler(
        [&](const eddy::ExceptionContext& context) { message = context.message; });
    made = __LINE__ + 1;
    eddy::create_task(child(), {.name = "child"});
    co_await eddy::sleep(1s);
  };
  eddy::testing::run(main());
  EXPECT_EQ(message, "task 'child' (operator(), made at runners_test.cpp:" + std::to_string(made) +
                         ") threw while run() shut down");
}

TEST(Run, GivesValuesOfEveryKindAndThrows) {
  auto text = []() -> Coro<std::string> { co_return "text"; };
  auto pointer = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  auto fail = []() -> Coro<int> {
    throw eddy::KeyError("gone");
    co_return 0;
  };
  EXPECT_EQ(eddy::testing::run(text()), "text");
  EXPECT_EQ(*eddy::testing::run(pointer()), 3);
  EXPECT_EQ(TEXT_OF(eddy::KeyError, eddy::testing::run(fail())), "gone");
  eddy::testing::run(eddy::sleep(1h));
}

TEST(Run, OfATaskThatIsCancelledThrowsCancelledError) {
  auto main = []() -> Coro<> {
    eddy::current_task().cancel();
    co_await eddy::sleep(1s);
  };
  EXPECT_THROW(eddy::testing::run(main()), CancelledError);
}

// 2.2 item 31
TEST(Runners, RunSeveralCoroutinesOnOneLoop) {
  eddy::Runner runner({.backend = eddy::Backend::simulated});
  eddy::Event event;
  auto wait = [&]() -> Coro<int> {
    co_await event.wait();
    co_return 1;
  };
  auto set = [&]() -> Coro<> {
    co_await eddy::sleep(1s);
    event.set();
  };
  Task<int> waiter;
  auto start = [&]() -> Coro<> {
    waiter = eddy::create_task(wait());
    co_return;
  };
  runner.run(start());
  runner.run(set());
  EXPECT_EQ(runner.run(waiter), 1);
  EXPECT_EQ(runner.get_loop().time().time_since_epoch(), 1s);
  runner.close();
  runner.close();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, runner.run(eddy::sleep(0s))), "the runner is closed");
}

TEST(Runners, CloseQuietlyAfterALoopThatWasClosedBefore) {
  eddy::Runner runner({.backend = eddy::Backend::simulated});
  runner.run(eddy::sleep(1s));
  runner.get_loop().close();
  EXPECT_NO_THROW(runner.close());
}

TEST(Runners, CloseADeadlockedProgram) {
  Log log;
  eddy::Event never;
  auto main = [&]() -> Coro<> {
    try {
      co_await never.wait();
    } catch (const CancelledError&) {
      log("unwound");
      throw;
    }
  };
  EXPECT_THROW(eddy::testing::run(main()), eddy::DeadlockError);
  EXPECT_EQ(log.str(), "unwound");
}

TEST(VirtualTime, AYearPassesInNoTime) {
  const auto begin = std::chrono::steady_clock::now();
  auto main = []() -> Coro<std::chrono::nanoseconds> {
    for (int day = 0; day < 365; ++day) co_await eddy::sleep(24h);
    co_return now();
  };
  EXPECT_EQ(eddy::testing::run(main()), 365 * 24h);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <string>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

Coro<int> number(int value, eddy::Duration delay) {
  co_await eddy::sleep(delay);
  co_return value;
}

Coro<std::string> cleans_up(Log& log, eddy::Duration takes) {
  std::exception_ptr cancelled;
  try {
    co_await eddy::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = std::current_exception();
  }
  co_await eddy::sleep(takes);
  log("cleaned up");
  std::rethrow_exception(cancelled);
  co_return "";
}

Coro<> fails_when_cancelled(const char* text) {
  bool cancelled = false;
  try {
    co_await eddy::sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  if (cancelled) throw eddy::ValueError(text);
}

Coro<> fail(const char* text) {
  co_await eddy::sleep(0s);
  throw eddy::ValueError(text);
}

}  // namespace

ASYNC_TEST(Race, GivesTheFirstValueByItsPlace) {
  auto winner = co_await eddy::race(number(1, 2s), number(2, 1s), eddy::sleep(3s));
  EXPECT_EQ(winner.index(), 1u);
  EXPECT_EQ(std::get<1>(winner), 2);
  EXPECT_EQ(now(), 1s);
  EXPECT_EQ(eddy::all_tasks().size(), 1u);
  auto sleeper = co_await eddy::race(number(1, 2s), eddy::sleep(1s));
  EXPECT_EQ(sleeper.index(), 1u);
}

ASYNC_TEST(Race, WAIT_11_TheLosersHaveEndedBeforeTheWinnersValueComes) {
  Log log;
  auto winner = co_await eddy::race(cleans_up(log, 5s), number(2, 1s));
  EXPECT_EQ(std::get<1>(winner), 2);
  EXPECT_EQ(log, "cleaned up");
  EXPECT_EQ(now(), 6s);
}

ASYNC_TEST(Race, WAIT_12_WhatALoserThrowsIsNotLost) {
  const auto error = co_await error_of<eddy::ExceptionGroup>(eddy::race(fails_when_cancelled("a"), number(2, 1s)));
  EXPECT_STREQ(error.what(), "unhandled errors in a race (1 sub-exception)\n  a");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, std::rethrow_exception(error.exceptions().front())), "a");
  const auto both = co_await error_of<eddy::ExceptionGroup>(eddy::race(fails_when_cancelled("a"), fail("b")));
  EXPECT_EQ(both.exceptions().size(), 2u);
}

ASYNC_TEST(Race, ThrowsWhatTheWinnerThrows) {
  EXPECT_STREQ((co_await error_of<eddy::ValueError>(eddy::race(number(1, 1s), fail("first")))).what(), "first");
  EXPECT_EQ(eddy::all_tasks().size(), 1u);
}

ASYNC_TEST(Race, OfManyTellsWhoWon) {
  std::vector<Coro<int>> racers;
  for (int i = 5; i > 0; --i) racers.push_back(number(i, std::chrono::seconds(i)));
  const auto result = co_await eddy::race(std::move(racers));
  EXPECT_EQ(result.index, 4u);
  EXPECT_EQ(result.value, 1);
  std::vector<Coro<int>> none;
  EXPECT_STREQ((co_await error_of<eddy::ValueError>(eddy::race(std::move(none)))).what(),
               "a race of nothing has no winner; give race() one awaitable or more");
}

ASYNC_TEST(Race, CancelledCancelsAllAndWaitsForThem) {
  Log log;
  auto body = [&log]() -> Coro<> { co_await eddy::race(cleans_up(log, 2s), cleans_up(log, 1s)); };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await settle();
  task.cancel();  // once more, while they clean up
  co_await error_of<CancelledError>(task);
  EXPECT_EQ(log, "cleaned up, cleaned up");
  EXPECT_EQ(now(), 2s);
}

ASYNC_TEST(Race, TakesTasksAndFuturesAsTheyAre) {
  auto task = eddy::create_task(number(1, 1h));
  auto future = eddy::get_running_loop().create_future<int>();
  eddy::get_running_loop().call_later(1s, [future] { future.set_result(7); });
  auto winner = co_await eddy::race(task, future);
  EXPECT_EQ(std::get<1>(winner), 7);
  EXPECT_TRUE(task.cancelled());
}

TEST(RaceSweep, CancelledAtEveryPlaceItLeavesNothingBehind) {
  EXPECT_GT(eddy::testing::cancel_everywhere([]() -> Coro<> {
              Log log;
              co_await eddy::race(cleans_up(log, 1s), number(2, 2s));
            }),
            4u);
}

// --- TaskGroup::start and cancel --------------------------------------------------------------------

namespace {

Coro<> serve(eddy::TaskStatus<int> status, int port, Log& log) {
  co_await eddy::sleep(1s);
  status.started(port);
  co_await eddy::sleep(1s);
  log("served");
}

}  // namespace

ASYNC_TEST(TaskGroupStart, SCOPE_10_WaitsUntilTheChildIsReadyAndGivesItsValue) {
  Log log;
  co_await eddy::task_group([&log](eddy::TaskGroup& group) -> Coro<> {
    const int port = co_await group.start<int>(serve, 80, std::ref(log));
    EXPECT_EQ(port, 80);
    EXPECT_EQ(now(), 1s);
    log("ready");
  });
  EXPECT_EQ(log, "ready, served");
  EXPECT_EQ(now(), 2s);
}

ASYNC_TEST(TaskGroupStart, SCOPE_10_FailingBeforeItIsReadyThrowsAtTheStarter) {
  co_await eddy::task_group([](eddy::TaskGroup& group) -> Coro<> {
    auto failing = [](eddy::TaskStatus<>) -> Coro<> { co_await fail("too early"); };
    EXPECT_STREQ((co_await error_of<eddy::ValueError>(group.start(failing))).what(), "too early");
    auto silent = [](eddy::TaskStatus<>) -> Coro<> { co_await eddy::sleep(0s); };
    EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(group.start(silent))).what(),
                 "the task ended without having called started()");
  });
}

ASYNC_TEST(TaskGroupStart, FailingLaterIsTheGroups) {
  const auto error = co_await error_of<eddy::ExceptionGroup>(eddy::task_group([](eddy::TaskGroup& group) -> Coro<> {
    auto failing = [](eddy::TaskStatus<> status) -> Coro<> {
      status.started();
      EXPECT_EQ(TEXT_OF(eddy::RuntimeError, status.started()), "started() was called before: a task starts once");
      co_await fail("later");
    };
    co_await group.start(failing);
    co_await eddy::sleep(1h);
  }));
  EXPECT_EQ(error.exceptions().size(), 1u);
}

ASYNC_TEST(TaskGroupStart, CancelledCancelsTheChildThatIsNotReady) {
  Log log;
  auto body = [&log]() -> Coro<> {
    co_await eddy::task_group([&log](eddy::TaskGroup& group) -> Coro<> {
      auto slow = [&log](eddy::TaskStatus<>) -> Coro<> { co_await cleans_up(log, 1s); };
      co_await group.start(slow);
    });
  };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await error_of<CancelledError>(task);
  EXPECT_EQ(log, "cleaned up");
}

ASYNC_TEST(TaskGroupCancel, EndsTheGroupWithoutAnException) {
  Log log;
  co_await eddy::task_group([&log](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(cleans_up(log, 1s));
    eddy::get_running_loop().call_later(1s, [&group] { group.cancel(); });
    co_await eddy::sleep(1h);
    ADD_FAILURE();
  });
  EXPECT_EQ(log, "cleaned up");
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
  co_await eddy::sleep(0s);
}

ASYNC_TEST(TaskGroupCancel, ByAChildOrAfterTheBodyEndsItToo) {
  co_await eddy::task_group([](eddy::TaskGroup& group) -> Coro<> {
    auto child = [&group]() -> Coro<> {
      co_await eddy::sleep(1s);
      group.cancel();
      group.cancel();
      co_await eddy::sleep(1h);
    };
    group.create_task(child);  // the task keeps it: this body ends first
    group.create_task(eddy::sleep(1h));
    co_return;
  });
  EXPECT_EQ(now(), 1s);
}

ASYNC_TEST(TaskGroupCancel, ABodyThatWasToGiveAValueThrows) {
  const auto error = co_await error_of<eddy::RuntimeError>(eddy::task_group([](eddy::TaskGroup& group) -> Coro<int> {
    group.cancel();
    co_await eddy::sleep(1h);
    co_return 1;
  }));
  EXPECT_STREQ(error.what(), "the task group was cancelled before its body gave a value");
  const int value = co_await eddy::task_group([](eddy::TaskGroup& group) -> Coro<int> {
    group.cancel();
    co_return 2;
  });
  EXPECT_EQ(value, 2);
  co_await eddy::sleep(0s);
}

ASYNC_TEST(TaskGroupCancel, DoesNotHideACancellationFromOutside) {
  Log log;
  auto body = [&log]() -> Coro<> {
    co_await eddy::task_group([&log](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(cleans_up(log, 1s));
      co_await eddy::sleep(1s);
      group.cancel();
      co_await eddy::sleep(1h);
    });
    ADD_FAILURE();
  };
  auto task = eddy::create_task(body());
  co_await eddy::sleep(1500ms);
  task.cancel();
  co_await error_of<CancelledError>(task);
}

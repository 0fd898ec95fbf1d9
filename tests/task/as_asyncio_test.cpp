// SPDX-License-Identifier: MIT
// What the oracle found (docs/oracle.md): small facts of asyncio in which eddy once differed.
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

eddy::Future<int> make_future() { return eddy::get_running_loop().create_future<int>(); }

Coro<int> give(int value, eddy::Duration after) {
  co_await eddy::sleep(after);
  co_return value;
}
std::exception_ptr an_error() { return std::make_exception_ptr(eddy::ValueError("failed")); }
Coro<int> fail(eddy::Duration after) {
  co_await eddy::sleep(after);
  throw eddy::ValueError("failed");
}

/// Counts the turns of the loop until it is cancelled.
Coro<> count_turns(int& turns) {
  for (;;) {
    co_await eddy::sleep(0s);
    ++turns;
  }
}

}  // namespace

ASYNC_TEST(AsAsyncio, WaitTakesTwoTurnsForWhatIsDone) {
  int turns = 0;
  auto done = eddy::create_task(give(1, 0s));
  co_await done;
  auto counter = eddy::create_task(count_turns(turns));
  std::vector<Task<int>> tasks{done};
  const auto sets = co_await eddy::wait(tasks);
  EXPECT_EQ(sets.done.size(), 1u);
  EXPECT_EQ(turns, 1);
  counter.cancel();
  co_await settle();
}

ASYNC_TEST(AsAsyncio, GatherOfWhatIsDoneDoesNotWait) {
  bool others_ran = false;
  auto done = eddy::create_task(give(1, 0s));
  auto failed = make_future();
  co_await done;
  failed.set_exception(an_error());
  auto body = [&]() -> Coro<> {
    others_ran = true;
    co_return;
  };
  auto other = eddy::create_task(body());
  const auto values = co_await eddy::gather(done, done);
  EXPECT_EQ(std::get<0>(values) + std::get<1>(values), 2);
  auto with_a_failed_one = [&]() -> Coro<> { co_await eddy::gather(failed, give(1, 0s)); };
  co_await error_of<eddy::ValueError>(with_a_failed_one());
  EXPECT_FALSE(others_ran);
  co_await other;
}

ASYNC_TEST(AsAsyncio, WaitForWithNoTimeThrowsTheCancellationOfWhatWasCancelledBefore) {
  auto future = make_future();
  future.cancel("before");
  const auto error = co_await error_of<CancelledError>(eddy::wait_for(future, 0s));
  EXPECT_STREQ(error.message(), "before");
}

ASYNC_TEST(AsAsyncio, WaitForWithNoTimeLeavesTheTurnToOthers) {
  Log log;
  auto future = make_future();
  auto body = [&]() -> Coro<> {
    log("other");
    co_return;
  };
  auto other = eddy::create_task(body());
  co_await error_of<eddy::TimeoutError>(eddy::wait_for(future, 0s));
  log("timed out");
  EXPECT_EQ(log.str(), "other, timed out");
}

ASYNC_TEST(AsAsyncio, AFutureIsCancelledWithAMessage) {
  auto future = make_future();
  auto body = [&]() -> Coro<int> {
    const int value = co_await future;
    co_return value;
  };
  auto first = eddy::create_task(body()), second = eddy::create_task(body());
  co_await settle();
  EXPECT_TRUE(future.cancel("enough"));
  EXPECT_FALSE(future.cancel("again"));
  EXPECT_STREQ((co_await error_of<CancelledError>(first)).message(), "enough");
  EXPECT_STREQ((co_await error_of<CancelledError>(second)).message(), "enough");
}

ASYNC_TEST(AsAsyncio, TheFirstCancellationThatAWaitAcceptedGivesTheMessage) {
  auto sleeper = eddy::create_task(give(1, 1h));
  auto inner = eddy::create_task(give(1, 1h));
  auto body = [&]() -> Coro<> { co_await inner; };
  auto outer = eddy::create_task(body());
  co_await settle();
  for (auto message : {"first", "second"}) {
    sleeper.cancel(message);
    outer.cancel(message);
  }
  EXPECT_STREQ((co_await error_of<CancelledError>(sleeper)).message(), "first");
  EXPECT_STREQ((co_await error_of<CancelledError>(outer)).message(), "first");
}

ASYNC_TEST(AsAsyncio, ACancellationThatCameOutOfAGatherOrAShieldStands) {
  auto cancelled = [](const char* message) -> Coro<> {
    eddy::current_task().cancel(message);
    co_await eddy::sleep(1s);
  };
  auto gathers = [&]() -> Coro<> { co_await eddy::gather(cancelled("inner"), eddy::sleep(1s)); };
  auto shields = [&]() -> Coro<> { co_await eddy::shield(cancelled("inner")); };
  std::vector<Task<>> tasks{eddy::create_task(gathers()), eddy::create_task(shields())};
  for (int turn = 0; turn < 4; ++turn) co_await eddy::sleep(0s);
  for (auto& task : tasks) EXPECT_TRUE(task.cancel("too late"));
  for (auto& task : tasks) EXPECT_STREQ((co_await error_of<CancelledError>(task)).message(), "inner");
}

ASYNC_TEST(AsAsyncio, GatherThrowsAnErrorThatAChildThrewInsteadOfItsCancellation) {
  auto stubborn = []() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    throw eddy::ValueError("failed");
  };
  auto body = [&]() -> Coro<> { co_await eddy::gather(stubborn()); };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  EXPECT_STREQ((co_await error_of<eddy::ValueError>(task)).what(), "failed");
}

ASYNC_TEST(AsAsyncio, ASleepCancelledAtTheMomentItEndsTakesItsPlaceAtTheCancellation) {
  Log log;
  auto sleeper = [&](const char* name) -> Coro<> {
    try {
      co_await eddy::sleep(1s);
      log(name);
    } catch (const CancelledError&) {
      log(name, "cancelled");
    }
  };
  Task<> second;
  eddy::get_running_loop().call_later(1s, [&] { second.cancel(); });
  auto first = eddy::create_task(sleeper("first"));
  second = eddy::create_task(sleeper("second"));
  co_await eddy::gather(first, second);
  EXPECT_EQ(log.str(), "second cancelled, first");
}

ASYNC_TEST(AsAsyncio, ATimeoutThatIsMovedToNowComesAfterWhatIsReady) {
  Log log;
  auto other = [&]() -> Coro<> {
    co_await eddy::sleep(0s);
    log("other");
  };
  auto task = eddy::create_task(eddy::sleep(0s));
  auto body = [&](eddy::Timeout& scope) -> Coro<> {
    task = eddy::create_task(other());
    scope.reschedule(eddy::get_running_loop().time());
    std::vector<Task<>> all{task};
    co_await eddy::wait(std::move(all));
  };
  co_await error_of<eddy::TimeoutError>(eddy::timeout(0s, body));
  log("timed out");
  EXPECT_EQ(log.str(), "other, timed out");
}

ASYNC_TEST(AsAsyncio, AsCompletedGivesWhatIsDoneAndThenSaysForEachOfTheOthersThatTheTimeIsOver) {
  std::vector<Task<int>> tasks{eddy::create_task(give(1, 0s)), eddy::create_task(give(2, 5s)),
                               eddy::create_task(fail(5s))};
  co_await tasks[0];
  auto completed = eddy::as_completed(tasks, 0s);
  co_await eddy::sleep(1s);
  const auto first = co_await completed.next();
  EXPECT_EQ(first->result(), 1);
  const auto error = co_await error_of<eddy::TimeoutError>(completed.next());
  EXPECT_STREQ(error.what(), "as_completed: the time is over");
  co_await eddy::sleep(10s);  // they ended, too late
  co_await error_of<eddy::TimeoutError>(completed.next());
  const auto nothing = co_await completed.next();
  EXPECT_FALSE(nothing.has_value());
  EXPECT_TRUE(tasks[2].exception() != nullptr);
}

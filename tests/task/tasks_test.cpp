// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

ASYNC_TEST(Tasks, TASK_01_TASK_03_StartAtTheNextTurnInOrder) {
  Log log;
  auto body = [&](int id) -> Coro<> {
    log(id);
    co_return;
  };
  std::vector<Task<>> tasks;
  for (int id : {1, 2, 3}) tasks.push_back(eddy::create_task(body(id)));
  EXPECT_EQ(log.str(), "");
  co_await eddy::sleep(0s);
  EXPECT_EQ(log.str(), "1, 2, 3");
  EXPECT_TRUE(tasks[2].done());
}

ASYNC_TEST(Tasks, TASK_02_GiveTheirValueOrTheirExceptionWithItsType) {
  auto give = []() -> Coro<std::string> { co_return "value"; };
  auto fail = []() -> Coro<> {
    throw eddy::KeyError("missing");
    co_return;
  };
  auto good = eddy::create_task(give());
  auto bad = eddy::create_task(fail());
  EXPECT_EQ(co_await good, "value");
  EXPECT_EQ(good.result(), "value");
  EXPECT_STREQ((co_await error_of<eddy::KeyError>(bad)).what(), "missing");
  EXPECT_NE(bad.exception(), nullptr);
}

ASYNC_TEST(Tasks, HaveNoResultWhileTheyRun) {
  auto task = eddy::create_task(eddy::sleep(1s));
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, task.result()), "the task has not ended: it has no result");
  co_await task;
  EXPECT_NO_THROW(task.result());
}

struct ThrowsAtItsEnd {
  ~ThrowsAtItsEnd() noexcept(false) { throw eddy::ValueError("too late"); }
};

// It has given its result when it comes to wait.
Coro<int> change_of_mind() {
  try {
    ThrowsAtItsEnd late;
    co_return 1;
  } catch (const eddy::ValueError&) {
  }
  co_await eddy::sleep(1s);
  co_return 2;
}

ASYNC_TEST(Tasks, AreAwaitedToTheirEndAfterADestructorThrewBehindACoReturn) {
  EXPECT_EQ(co_await change_of_mind(), 2);
  EXPECT_EQ(now(), 1s);
  auto task = eddy::create_task(change_of_mind());
  EXPECT_EQ(co_await task, 2);
}

// 2.2 item 13
ASYNC_TEST(Tasks, AwaitWhatIsDoneAndPlainCoroutinesWithoutATurn) {
  Log log;
  auto nothing = []() -> Coro<int> { co_return 1; };
  auto done = eddy::create_task(nothing());
  co_await settle();
  eddy::get_running_loop().call_soon([&] { log("turn"); });
  co_await done;
  co_await nothing();
  log("awaited");
  co_await eddy::sleep(0s);
  EXPECT_EQ(log.str(), "awaited, turn");
}

// 2.2 item 13
ASYNC_TEST(Tasks, AreWokenOneTurnAfterWhatTheyAwaitIsDone) {
  auto future = eddy::get_running_loop().create_future<int>();
  Log log;
  auto wait = [&]() -> Coro<> {
    co_await future;
    log("woken");
  };
  auto task = eddy::create_task(wait());
  co_await settle();
  future.set_result(1);
  eddy::get_running_loop().call_soon([&] { log("posted after"); });
  co_await task;
  EXPECT_EQ(log.str(), "woken, posted after");
}

ASYNC_TEST(Tasks, TASK_05_ThatYieldLetEveryOtherRunOnce) {
  Log log;
  auto body = [&](char name) -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      log(name);
      co_await eddy::sleep(0s);
    }
  };
  co_await eddy::gather(body('a'), body('b'), body('c'));
  EXPECT_EQ(log.str(), "a, b, c, a, b, c");
}

// 2.2 item 14
ASYNC_TEST(Tasks, TASK_15_CannotAwaitThemselves) {
  Task<> self;
  auto body = [&]() -> Coro<> { co_await self; };
  self = eddy::create_task(body());
  EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(self)).what(), "a task cannot await itself");
}

ASYNC_TEST(Tasks, TASK_16_DestroyLocalsInReverseOrderOnceWhenCancelled) {
  Log log;
  struct Local {
    Local(Log& l, char n) noexcept : log(l), name(n) {}
    ~Local() { log(name); }
    Log& log;
    char name;
  };
  auto inner = [&]() -> Coro<> {
    Local c(log, 'c');
    co_await eddy::sleep(1h);
  };
  auto outer = [&]() -> Coro<> {
    Local a(log, 'a'), b(log, 'b');
    co_await inner();
  };
  auto task = eddy::create_task(outer());
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_EQ(log.str(), "c, b, a");
}

ASYNC_TEST(Tasks, TASK_18_GoOnWhenTheirHandleIsDropped) {
  Log log;
  auto body = [&]() -> Coro<> {
    co_await eddy::sleep(1s);
    log("done at", now());
  };
  eddy::create_task(body());
  co_await eddy::sleep(2s);
  EXPECT_EQ(log.str(), "done at 1s");
}

ASYNC_TEST(Tasks, MayBeReassignedWhileTheyAreAwaited) {
  auto give = [](int x) -> Coro<int> {
    co_await eddy::sleep(1s);
    co_return x;
  };
  auto task = eddy::create_task(give(1));
  auto wait = [&]() -> Coro<int> { co_return co_await task; };
  auto waiter = eddy::create_task(wait());
  co_await settle();
  task = eddy::create_task(give(2));
  EXPECT_EQ(co_await waiter, 1);
  EXPECT_EQ(co_await task, 2);
}

ASYNC_TEST(Tasks, TASK_25_KnowTheCurrentOneWhenTheyInterleaveAndAfterAnException) {
  int wrong = 0;
  auto body = [&](int id) -> Coro<> {
    const auto me = eddy::current_task();
    for (int i = 0; i < 5; ++i) {
      co_await eddy::sleep((id + i) % 3 * 1ms);
      try {
        throw id;
      } catch (int) {
      }
      wrong += !(eddy::current_task() == me);
    }
  };
  co_await eddy::gather(body(1), body(2), body(3));
  EXPECT_EQ(wrong, 0);
}

ASYNC_TEST(Tasks, TASK_26_KeepTheirNames) {
  auto named = eddy::create_task(eddy::sleep(0s), {.name = "nurse"});
  EXPECT_EQ(named.name(), "nurse");
  named.set_name("doctor");
  EXPECT_EQ(named.name(), "doctor");
  auto unnamed = eddy::create_task(eddy::sleep(0s));
  EXPECT_EQ(unnamed.name().substr(0, 5), "Task-");
  EXPECT_EQ(unnamed.name(), unnamed.name());
  co_await eddy::gather(named, unnamed);
}

ASYNC_TEST(Tasks, AreListedWhileTheyLive) {
  auto a = eddy::create_task(eddy::sleep(1s));
  auto b = eddy::create_task(eddy::sleep(2s));
  auto all = eddy::all_tasks();
  EXPECT_EQ(all.size(), 3u);
  EXPECT_TRUE(all[0] == eddy::current_task() && all[1] == a && all[2] == b);
  co_await a;
  EXPECT_EQ(eddy::all_tasks().size(), 2u);
  co_await b;
}

ASYNC_TEST(Tasks, TASK_27_KeepTheExceptionForALaterAwait) {
  auto fail = []() -> Coro<> {
    co_await eddy::sleep(1ms);
    throw std::runtime_error("after the last await");
  };
  auto task = eddy::create_task(fail());
  co_await eddy::sleep(1s);
  EXPECT_STREQ((co_await error_of<std::runtime_error>(task)).what(), "after the last await");
}

ASYNC_TEST(Tasks, CallBackWithTheirResult) {
  Log log;
  auto give = []() -> Coro<int> { co_return 3; };
  auto task = eddy::create_task(give());
  task.add_done_callback([&](Task<int>& done) { log("done", done.result()); });
  co_await settle();
  EXPECT_EQ(log.str(), "done 3");
}

ASYNC_TEST(Tasks, TakeFunctionsWithTheirArguments) {
  auto text = std::make_unique<std::string>("kept");
  auto task = eddy::create_task(
      [text = std::move(text)](int n) -> Coro<std::string> {
        co_await eddy::sleep(1s);
        co_return *text + std::to_string(n);
      },
      5);
  EXPECT_EQ(co_await task, "kept5");
}

ASYNC_TEST(Tasks, FUT_12_CarryMoveOnlyValuesReferencesAndNothing) {
  static int target = 0;
  auto move_only = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(1); };
  auto reference = []() -> Coro<int&> { co_return target; };
  auto nothing = []() -> Coro<> { co_return; };
  EXPECT_EQ(*co_await move_only(), 1);
  EXPECT_EQ(&co_await reference(), &target);
  co_await nothing();
  EXPECT_EQ(*co_await eddy::create_task(move_only()), 1);
  EXPECT_EQ(&co_await eddy::create_task(reference()), &target);
  co_await eddy::create_task(nothing());
}

ASYNC_TEST(Tasks, RunACoroutineOnce) {
  const std::string text =
      "the coroutine was awaited or moved away before: a Coro runs once; make a task of it with create_task() to "
      "await it more than once";
  auto give = []() -> Coro<int> { co_return 1; };
  auto used = give();
  EXPECT_EQ(co_await std::move(used), 1);
  EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(std::move(used))).what(), text.c_str());
  auto moved = give();
  auto task = eddy::create_task(std::move(moved));
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::create_task(std::move(moved))), text);
  EXPECT_EQ(co_await task, 1);
}

TEST(TasksOutsideOfALoop, AreRefused) {
  auto body = []() -> Coro<> { co_return; };
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::create_task(body())),
            "no running event loop on this thread; start one with eddy::run()");
  EXPECT_NE(::testing::internal::GetCapturedStderr(), "");
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::ExceptionGroup;
using eddy::TaskGroup;
using eddy::task_group;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

Coro<> fail(std::string text, eddy::Duration after = 0s) {
  co_await eddy::sleep(after);
  throw std::runtime_error(text);
}

// A child that tells how it ends.
Coro<> child(Log& log, int id, eddy::Duration length = 1h) {
  try {
    co_await eddy::sleep(length);
    log(id, "done");
  } catch (const CancelledError&) {
    log(id, "cancelled");
    throw;
  }
}

}  // namespace

ASYNC_TEST(TaskGroups, SCOPE_01_SCOPE_06_EndWhenAllTheirTasksHave) {
  Log log;
  auto value = co_await task_group([&](TaskGroup& group) -> Coro<int> {
    group.create_task(child(log, 1, 3s));
    group.create_task([&](int id) -> Coro<> {
      group.create_task(child(log, id, 5s));
      co_return;
    }, 2);
    co_return 7;
  });
  EXPECT_EQ(value, 7);
  EXPECT_EQ(log.str(), "1 done, 2 done");
  EXPECT_EQ(now(), 5s);
}

ASYNC_TEST(TaskGroups, SCOPE_02_CancelTheOthersAndTheBodyWhenOneFails) {
  Log log;
  auto error = co_await error_of<ExceptionGroup>(task_group([&](TaskGroup& group) -> Coro<> {
    group.create_task(child(log, 1));
    group.create_task(fail("bad", 1s));
    co_await child(log, 2);
  }));
  EXPECT_EQ(log.str(), "1 cancelled, 2 cancelled");
  EXPECT_STREQ(error.what(), "unhandled errors in a TaskGroup (1 sub-exception)\n  bad");
  EXPECT_EQ(TEXT_OF(std::runtime_error, std::rethrow_exception(error.exceptions().at(0))), "bad");
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
  co_await eddy::sleep(1s);
}

ASYNC_TEST(TaskGroups, SCOPE_03_CancelTheirTasksWhenTheBodyThrows) {
  Log log;
  auto error = co_await error_of<ExceptionGroup>(task_group([&](TaskGroup& group) -> Coro<> {
    group.create_task(child(log, 1));
    co_await eddy::sleep(1s);
    throw std::runtime_error("body");
  }));
  EXPECT_STREQ(error.what(), "unhandled errors in a TaskGroup (1 sub-exception)\n  body");
  EXPECT_EQ(log.str(), "1 cancelled");
}

ASYNC_TEST(TaskGroups, SCOPE_04_PassACancellationOnAndEndCancelled) {
  Log log;
  auto body = [&]() -> Coro<> {
    co_await task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(child(log, 1));
      co_return;
    });
  };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "1 cancelled");
}

ASYNC_TEST(TaskGroups, SCOPE_05_RefuseTasksWhileTheyShutDown) {
  std::string text;
  auto token = std::make_shared<int>();
  auto keep = [](std::shared_ptr<int>) -> Coro<> { co_return; };
  co_await error_of<ExceptionGroup>(task_group([&](TaskGroup& group) -> Coro<> {
    group.create_task(fail("bad"));
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      text = TEXT_OF(eddy::RuntimeError, group.create_task(keep(token)));
      throw;
    }
  }));
  EXPECT_EQ(text, "the task group is shutting down: it takes no new tasks");
  EXPECT_EQ(token.use_count(), 1);
}

ASYNC_TEST(TaskGroups, SCOPE_05_RefuseTasksWhenTheyAreFinished) {
  std::string text;
  auto late = [](TaskGroup& group, std::string& out) -> Coro<> {
    auto nothing = []() -> Coro<> { co_return; };
    out = TEXT_OF(eddy::RuntimeError, group.create_task(nothing()));
    co_return;
  };
  co_await task_group([&](TaskGroup& group) -> Coro<> {
    auto task = group.create_task(eddy::sleep(1s));
    task.add_done_callback([&](auto&) { text = TEXT_OF(eddy::RuntimeError, group.create_task(late(group, text))); });
    co_return;
  });
  EXPECT_EQ(text, "the task group is finished: it takes no new tasks");
}

ASYNC_TEST(TaskGroups, SCOPE_07_NestedCancelOnlyAsFarAsTheInnerOne) {
  Log log;
  co_await task_group([&](TaskGroup& outer) -> Coro<> {
    outer.create_task(child(log, 1, 5s));
    co_await error_of<ExceptionGroup>(task_group([&](TaskGroup& inner) -> Coro<> {
      inner.create_task(child(log, 2));
      inner.create_task(fail("inner", 1s));
      co_return;
    }));
    log("caught at", now());
  });
  EXPECT_EQ(log.str(), "2 cancelled, caught at 1s, 1 done");
}

ASYNC_TEST(TaskGroups, SCOPE_08_CollectErrorsOfTheSameTurnAndOfCleanUps) {
  auto bad_clean_up = []() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::runtime_error("clean-up");
  };
  auto error = co_await error_of<ExceptionGroup>(task_group([&](TaskGroup& group) -> Coro<> {
    group.create_task(fail("one", 1s));
    group.create_task(fail("two", 1s));
    group.create_task(bad_clean_up());
    co_return;
  }));
  EXPECT_STREQ(error.what(), "unhandled errors in a TaskGroup (3 sub-exceptions)\n  one\n  two\n  clean-up");
}

// 2.2 item 20
ASYNC_TEST(TaskGroups, SCOPE_09_LetErrorsWinOverACancellationThatTheNextAwaitRaises) {
  Log log;
  auto slow_clean_up = []() -> Coro<> {
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      cancelled = true;
    }
    if (cancelled) co_await eddy::sleep(2s);
  };
  auto body = [&]() -> Coro<> {
    try {
      co_await task_group([&](TaskGroup& group) -> Coro<> {
        group.create_task(fail("bad", 1s));
        group.create_task(slow_clean_up());
        co_return;
      });
    } catch (const ExceptionGroup&) {
      log("group");
    }
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      log("cancelled at", now());
      throw;
    }
  };
  auto task = eddy::create_task(body());
  eddy::get_running_loop().call_later(2s, [&] { task.cancel(); });
  co_await eddy::sleep(10s);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "group, cancelled at 3s");
}

ASYNC_TEST(TaskGroups, DoNotCountACancelledChildAsAnError) {
  Log log;
  co_await task_group([&](TaskGroup& group) -> Coro<> {
    auto task = group.create_task(child(log, 1));
    group.create_task(child(log, 2, 2s));
    co_await eddy::sleep(1s);
    task.cancel();
  });
  EXPECT_EQ(log.str(), "1 cancelled, 2 done");
}

ASYNC_TEST(TaskGroups, UnderATimeoutEndWithTimeoutError) {
  Log log;
  auto error = co_await error_of<eddy::TimeoutError>(eddy::timeout(2s, task_group([&](TaskGroup& group) -> Coro<> {
    group.create_task(child(log, 1));
    co_return;
  })));
  EXPECT_STREQ(error.what(), "timed out after 2s");
  EXPECT_EQ(log.str(), "1 cancelled");
}

// 2.2 item 20
TEST(TaskGroupsAndExit, LeaveTheRunBareNotAsAGroup) {
  auto leave = []() -> Coro<> {
    co_await eddy::sleep(1s);
    throw eddy::SystemExit(4);
  };
  auto main = [&]() -> Coro<> {
    co_await task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(leave());
      group.create_task(eddy::sleep(1h));
      co_return;
    });
  };
  int code = 0;
  try {
    eddy::testing::run(main());
  } catch (const eddy::SystemExit& exit) {
    code = exit.code();
  }
  EXPECT_EQ(code, 4);
}

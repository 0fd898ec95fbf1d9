// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support.hpp"

namespace {

using namespace eddy;
using namespace std::chrono_literals;
using Log = std::vector<std::string>;

Coro<int> add(int a, int b) { co_return a + b; }

Coro<> fail(const char* text) {
  using body [[maybe_unused]] = int;
  throw ValueError(text);
  co_return;
}

Coro<int> dive(int left) {
  if (left == 0) co_return 0;
  auto child = create_task(dive(left - 1), {.eager_start = true});
  co_return 1 + co_await child;
}

ASYNC_TEST(EagerTasks, OneThatNeverWaitsIsDoneAtOnce) {
  auto task = create_task(add(1, 2), {.eager_start = true});
  EXPECT_TRUE(task.done());
  EXPECT_EQ(task.result(), 3);
  EXPECT_EQ(all_tasks().size(), 1u);
  EXPECT_EQ(co_await task, 3);
}

ASYNC_TEST(EagerTasks, OneThatWaitsGoesOnThroughTheLoop) {
  Log log;
  auto body = [&log]() -> Coro<> {
    log.push_back("starts in " + std::string(current_task().name()));
    co_await sleep(1ms);
    log.push_back("goes on in " + std::string(current_task().name()));
  };
  auto task = create_task(body(), {.name = "child", .eager_start = true});
  log.push_back("maker");
  EXPECT_FALSE(task.done());
  EXPECT_TRUE(current_task().name() != "child");
  co_await task;
  EXPECT_EQ(log, (Log{"starts in child", "maker", "goes on in child"}));
}

ASYNC_TEST(EagerTasks, AnErrorStaysInTheTask) {
  auto task = create_task(fail("no"), {.eager_start = true});
  EXPECT_TRUE(task.done());
  EXPECT_EQ(TEXT_OF(ValueError, task.result()), "no");
  co_return;
}

ASYNC_TEST(EagerTasks, CancellingItselfTakesEffectAtItsFirstWait) {
  bool reached = false;
  auto body = [&reached]() -> Coro<> {
    current_task().cancel();
    reached = true;
    co_await sleep(1h);
  };
  auto task = create_task(body(), {.eager_start = true});
  EXPECT_TRUE(reached);
  EXPECT_FALSE(task.done());
  std::vector<Task<>> tasks(1, task);
  co_await wait(tasks);
  EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(EagerTasks, OneMadeByAnotherRunsInsideIt) {
  Log log;
  auto inner = [&log]() -> Coro<> {
    log.push_back("inner");
    co_await sleep(0ms);
    log.push_back("inner again");
  };
  auto body = [&log, &inner]() -> Coro<> {
    log.push_back("outer");
    auto task = create_task(inner(), {.eager_start = true});
    log.push_back("outer again");
    co_await task;
  };
  auto outer = create_task(body(), {.eager_start = true});
  log.push_back("maker");
  co_await outer;
  EXPECT_EQ(log, (Log{"outer", "inner", "outer again", "maker", "inner again"}));
}

ASYNC_TEST(EagerTasks, ADeepChainOfThemDoesNotOverflowTheStack) {
  auto task = create_task(dive(20'000), {.eager_start = true});
  EXPECT_EQ(co_await task, 20'000);
}

TEST(EagerTasks, WhereTheLoopDoesNotRunYetTheyWait) {
  EventLoop loop;
  auto task = loop.create_task(add(1, 1), {.eager_start = true});
  EXPECT_FALSE(task.done());
  EXPECT_EQ(loop.run_until_complete(task), 2);
}

ASYNC_TEST(EagerTasks, TheEagerFactoryMakesAllTasksEager) {
  auto& loop = get_running_loop();
  loop.set_task_factory(eager_task_factory);
  EXPECT_TRUE(create_task(add(1, 2)).done());
  auto [a, b] = co_await gather(add(1, 2), add(3, 4));
  EXPECT_EQ(a + b, 10);
  const int in_group = co_await task_group([](TaskGroup& group) -> Coro<int> {
    auto task = group.create_task(add(5, 6));
    EXPECT_TRUE(task.done());
    co_return task.result();
  });
  EXPECT_EQ(in_group, 11);
  loop.set_task_factory(nullptr);
  auto lazy = create_task(add(1, 2));
  EXPECT_FALSE(lazy.done());
  co_await lazy;
}

ASYNC_TEST(EagerTasks, AnEagerChildThatFailsEndsItsGroup) {
  const auto error = co_await eddy::testing::error_of<ExceptionGroup>(task_group([](TaskGroup& group) -> Coro<> {
    group.create_task(fail("at once"), {.eager_start = true});
    co_await sleep(1h);
  }));
  EXPECT_EQ(error.exceptions().size(), 1u);
}

ASYNC_TEST(TaskFactory, SeesEachNewTaskAndMayChangeItsOptions) {
  auto& loop = get_running_loop();
  Log names;
  loop.set_task_factory([&](const AnyTask& task, TaskOptions& options) {
    if (options.name.empty()) options.name = "made by the factory";
    names.push_back(std::string(options.name));
    EXPECT_FALSE(task.done());
  });
  auto a = create_task(add(1, 2), {.name = "a"});
  auto b = create_task(add(1, 2));
  EXPECT_FALSE(a.done());
  EXPECT_EQ(b.name(), "made by the factory");
  co_await gather(a, b);
  loop.set_task_factory(nullptr);
  EXPECT_EQ(names, (Log{"a", "made by the factory"}));
}

}  // namespace

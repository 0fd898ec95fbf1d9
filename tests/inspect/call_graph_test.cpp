// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::testing::settle;

namespace {

constexpr int kInnerAt = __LINE__ + 1;
Coro<> inner() { co_await eddy::sleep(1h); }
constexpr int kOuterAt = __LINE__ + 1;
Coro<> outer() { co_await inner(); }

constexpr int kWaitsAt = __LINE__ + 1;
Coro<> waits(Task<> task) { co_await task; }

std::string names(const std::vector<eddy::FrameCallGraphEntry>& frames) {
  std::string text;
  for (const auto& frame : frames)
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", frame.function, frame.line);
  return text;
}

std::string id_of(const eddy::AnyTask& task) { return fmt::format("{}", fmt::ptr(&task.core())); }

}  // namespace

// INT-1
ASYNC_TEST(CallGraph, HasTheFramesAndWhoWaits) {
  auto task = eddy::create_task(outer(), {.name = "leaf"});
  auto first = eddy::create_task(waits(task), {.name = "first"});
  auto second = eddy::create_task(waits(first), {.name = "second"});
  co_await settle();
  const auto graph = eddy::capture_call_graph(task);
  EXPECT_EQ(graph.future, task);
  EXPECT_EQ(names(graph.call_stack), fmt::format("inner:{} outer:{}", kInnerAt, kOuterAt));
  EXPECT_EQ(graph.awaited_by.size(), 1u);
  EXPECT_EQ(graph.awaited_by.at(0).future, first);
  EXPECT_EQ(names(graph.awaited_by.at(0).call_stack), fmt::format("waits:{}", kWaitsAt));
  EXPECT_EQ(graph.awaited_by.at(0).awaited_by.at(0).future, second);

  EXPECT_EQ(names(eddy::capture_call_graph(task, {.limit = 1}).call_stack),
            fmt::format("inner:{}", kInnerAt));
  EXPECT_EQ(names(eddy::capture_call_graph(task, {.limit = -1}).call_stack),
            fmt::format("outer:{}", kOuterAt));
  EXPECT_EQ(names(eddy::capture_call_graph(task, {.limit = 0}).call_stack), "");

  const auto text = fmt::format(
      "* Task(name='leaf', id={0})\n"
      "  + Call stack:\n"
      "  |   File '{3}', line {4}, in async inner()\n"
      "  |   File '{3}', line {5}, in async outer()\n"
      "  + Awaited by:\n"
      "     * Task(name='first', id={1})\n"
      "       + Call stack:\n"
      "       |   File '{3}', line {6}, in async waits()\n"
      "       + Awaited by:\n"
      "          * Task(name='second', id={2})\n"
      "            + Call stack:\n"
      "            |   File '{3}', line {6}, in async waits()\n",
      id_of(task), id_of(first), id_of(second), __FILE__, kInnerAt, kOuterAt, kWaitsAt);
  EXPECT_EQ(eddy::format_call_graph(task), text);
  ::testing::internal::CaptureStdout();
  eddy::print_call_graph(task);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), text);
  second.cancel();
  co_await settle();
}

ASYNC_TEST(CallGraph, OfTheRunningTaskHasItsOutermostFrameAlone) {
  eddy::current_task().set_name("me");
  const auto graph = eddy::capture_call_graph();
  EXPECT_EQ(graph.future, eddy::current_task());
  EXPECT_EQ(graph.call_stack.size(), 1u);
  co_return;
}

TEST(CallGraph, ThrowsOutsideOfATask) {
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::capture_call_graph()),
            "no running task: eddy's awaitables must be awaited inside a task; start one with eddy::run()");
}

// TSK-5
ASYNC_TEST(TaskStack, IsTheChainOfItsCoroutinesOutermostFirst) {
  const int made = __LINE__ + 1;
  auto task = eddy::create_task(outer(), {.name = "leaf"});
  co_await settle();
  EXPECT_EQ(names(task.get_stack()), fmt::format("outer:{} inner:{}", kOuterAt, kInnerAt));
  EXPECT_EQ(names(task.get_stack(1)), fmt::format("inner:{}", kInnerAt));
  ::testing::internal::CaptureStderr();
  task.print_stack();
  EXPECT_EQ(
      ::testing::internal::GetCapturedStderr(),
      fmt::format("Stack for task 'leaf' (outer, made at call_graph_test.cpp:{0}) (most recent await last):\n"
                  "  File \"{1}\", line {2}, in outer\n  File \"{1}\", line {3}, in inner\n",
                  made, __FILE__, kOuterAt, kInnerAt));
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.get_stack().empty());
  ::testing::internal::CaptureStderr();
  task.print_stack();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "No stack for task 'leaf'\n");
}

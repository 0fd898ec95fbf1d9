// SPDX-License-Identifier: MIT
#include <eddy/contextlib.hpp>
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;

namespace {

struct Connection {
  Log& log;
  bool swallows = false;
  explicit Connection(Log& l, bool s = false) : log(l), swallows(s) {}

  Coro<int> aenter() {
    co_await eddy::sleep(1s);
    log("enter");
    co_return 42;
  }
  Coro<bool> aexit(std::exception_ptr error) {
    co_await eddy::sleep(1s);
    log(error ? "exit after an exception" : "exit");
    co_return swallows;
  }
};

}  // namespace

ASYNC_TEST(With, GEN_17_TheExitPartRunsAfterTheBody) {
  Log log;
  const int value = co_await eddy::with(Connection(log), [&](int number) -> Coro<int> {
    log("body", number);
    co_return number + 1;
  });
  EXPECT_EQ(value, 43);
  EXPECT_EQ(log, "enter, body 42, exit");
  EXPECT_EQ(now(), 2s);
}

ASYNC_TEST(With, GEN_17_TheExitPartRunsAfterAnException) {
  Log log;
  Connection connection(log);
  auto body = []() -> Coro<> {
    throw eddy::ValueError("boom");
    co_return;
  };
  const auto error = co_await error_of<eddy::ValueError>(eddy::with(connection, body));
  EXPECT_STREQ(error.what(), "boom");
  EXPECT_EQ(log, "enter, exit after an exception");
  co_await eddy::with(Connection(log, true), body);  // which swallows it
}

ASYNC_TEST(With, GEN_17_TheExitPartRunsAfterACancellationAndMayAwait) {
  Log log;
  auto task = eddy::create_task([&]() -> Coro<> {
    co_await eddy::with(Connection(log), []() -> Coro<> { co_await eddy::sleep(1h); });
  });
  co_await eddy::sleep(2s);
  task.cancel();
  co_await error_of<eddy::CancelledError>(task);
  EXPECT_EQ(log, "enter, exit after an exception");
  EXPECT_EQ(now(), 3s);
}

ASYNC_TEST(With, WhatCannotBeEnteredIsNotLeft) {
  Log log;
  auto task = eddy::create_task(
      [&]() -> Coro<> { co_await eddy::with(Connection(log), []() -> Coro<> { co_return; }); });
  co_await eddy::sleep(500ms);
  task.cancel();
  co_await error_of<eddy::CancelledError>(task);
  EXPECT_EQ(log, "");
}

ASYNC_TEST(With, AclosingClosesAnAsynchronousGenerator) {
  Log log;
  auto rows = [](Log& out) -> eddy::AsyncGenerator<int> {
    try {
      for (int i = 0;; ++i) co_yield i;
    } catch (const eddy::GeneratorExit&) {
      out("closed");
      throw;
    }
  };
  co_await eddy::with(eddy::aclosing(rows(log)), [&](eddy::AsyncGenerator<int>& all) -> Coro<> {
    while (auto row = co_await all.next()) {
      log(*row);
      if (*row == 1) co_return;
    }
  });
  EXPECT_EQ(log, "0, 1, closed");
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <functional>

#include "support.hpp"

using eddy::retry;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;

namespace {

// Fails `failures` times, then gives 42.
struct Unsteady {
  int failures;
  int calls = 0;
  Coro<int> operator()() {
    if (++calls <= failures) throw eddy::OSError(EIO, "failure " + std::to_string(calls));
    co_return 42;
  }
};

}  // namespace

ASYNC_TEST(Retry, TwoFailuresAndASuccessAreThreeCalls) {
  Unsteady unsteady{2};
  const int value = co_await retry(std::ref(unsteady));
  EXPECT_EQ(value, 42);
  EXPECT_EQ(unsteady.calls, 3);
  EXPECT_EQ(now(), 0s);
}

ASYNC_TEST(Retry, ThreeFailuresThrowTheLast) {
  Unsteady unsteady{3};
  const auto error = co_await error_of<eddy::OSError>(retry(std::ref(unsteady)));
  EXPECT_STREQ(error.what(), "failure 3");
  EXPECT_EQ(unsteady.calls, 3);
}

ASYNC_TEST(Retry, PausesDoubleUpToTheLongest) {
  Unsteady unsteady{5};
  Log log;
  auto call = [&]() -> Coro<int> {
    log(now());
    return unsteady();
  };
  const int value = co_await retry(call, {.attempts = 6, .backoff = 1s, .longest = 3s});
  EXPECT_EQ(value, 42);
  EXPECT_EQ(log.str(), "0s, 1s, 3s, 6s, 9s, 12s");
}

ASYNC_TEST(Retry, JitterTakesSomethingOffAndIsTheSameInEachRunOfVirtualTime) {
  auto elapsed = []() -> Coro<std::chrono::nanoseconds> {
    const auto began = now();
    Unsteady unsteady{1};
    co_await retry(std::ref(unsteady), {.backoff = 10s, .jitter = 0.5});
    co_return now() - began;
  };
  const auto first = co_await elapsed();
  EXPECT_GE(first, 5s);
  EXPECT_LE(first, 10s);
  const auto second = co_await elapsed();
  EXPECT_NE(second, first);
}

ASYNC_TEST(Retry, OtherErrorsAndCancellationsPassAtOnce) {
  int calls = 0;
  auto fails = [&]() -> Coro<> {
    ++calls;
    throw std::runtime_error("another");
    co_return;
  };
  co_await error_of<std::runtime_error>(retry<eddy::OSError>(fails));
  EXPECT_EQ(calls, 1);
  auto sleeps = [&]() -> Coro<> {
    ++calls;
    co_await eddy::sleep(1h);
  };
  auto task = eddy::create_task(retry(sleeps));
  co_await eddy::sleep(1s);
  task.cancel();
  co_await error_of<eddy::CancelledError>(task);
  EXPECT_EQ(calls, 2);
}

ASYNC_TEST(Retry, RefusesOptionsThatAreNone) {
  Unsteady unsteady{0};
  const auto none = co_await error_of<eddy::ValueError>(retry(std::ref(unsteady), {.attempts = 0}));
  EXPECT_STREQ(none.what(), "retry: attempts must be at least 1 and is 0");
  const auto negative = co_await error_of<eddy::ValueError>(retry(std::ref(unsteady), {.backoff = -1s}));
  EXPECT_STREQ(negative.what(), "retry: backoff must not be negative");
  const auto jitter = co_await error_of<eddy::ValueError>(retry(std::ref(unsteady), {.jitter = 1.5}));
  EXPECT_STREQ(jitter.what(), "retry: jitter must be from 0 to 1 and is 1.5");
  EXPECT_EQ(unsteady.calls, 0);
}

TEST(Retry, LeavesNothingWhereverItEnds) {
  auto program = []() -> Coro<> {
    int calls = 0;
    auto call = [&]() -> Coro<> {
      co_await eddy::sleep(1s);
      if (++calls < 3) throw eddy::OSError(EIO, "test");
    };
    co_await retry(call, {.backoff = 1s});
  };
  EXPECT_GE(eddy::testing::cancel_everywhere(program), 8u);
  EXPECT_GE(eddy::testing::fail_everywhere(program, eddy::OSError(EIO, "swept")), 3u);
}

// SPDX-License-Identifier: MIT
#include "crawl/retry.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using namespace eddy::crawl;
using eddy::Duration;

constexpr std::chrono::sys_seconds kNow(std::chrono::seconds(784111777));  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(RetryPolicy, PassingStatuses) {
  for (const int status : {408, 429, 500, 502, 503, 504, 599}) EXPECT_TRUE(is_passing(status)) << status;
  for (const int status : {200, 204, 304, 400, 403, 404, 410, 501, 505, 600}) EXPECT_FALSE(is_passing(status)) << status;
}

TEST(RetryPolicy, WaitsGrowAndEnd) {
  const Retry retry{.tries = 3, .first_wait = 1s, .factor = 10, .max_wait = 20s};
  EXPECT_EQ(retry_wait(retry, 1), Duration(1s));
  EXPECT_EQ(retry_wait(retry, 2), Duration(10s));
  EXPECT_EQ(retry_wait(retry, 3), Duration(20s));
  EXPECT_EQ(retry_wait(retry, 4), std::nullopt);
  EXPECT_EQ(retry_wait({.tries = 0}, 1), std::nullopt);
}

TEST(RetryPolicy, ServersMayAskForMoreUpToTheLimit) {
  const Retry retry{.tries = 2, .first_wait = 1s, .max_wait = 20s};
  EXPECT_EQ(retry_wait(retry, 1, Duration(5s)), Duration(5s));
  EXPECT_EQ(retry_wait(retry, 1, Duration()), Duration(1s));
  EXPECT_EQ(retry_wait(retry, 1, Duration(21s)), std::nullopt);
}

TEST(RetryPolicy, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(parse_retry_after("120", kNow), Duration(120s));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", kNow), Duration(60s));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", kNow), Duration(0s));
  EXPECT_EQ(parse_retry_after("soon", kNow), std::nullopt);
  EXPECT_EQ(parse_retry_after("-1", kNow), std::nullopt);
  EXPECT_EQ(parse_retry_after("99999999999999999999", kNow), std::nullopt);
}

}  // namespace

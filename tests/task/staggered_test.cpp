// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/staggered.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support.hpp"

using Attempt = std::function<Coro<std::string>()>;

namespace {

Attempt gives(std::string value, eddy::Duration after) {
  return [=]() -> Coro<std::string> {
    co_await eddy::sleep(after);
    co_return value;
  };
}
Attempt fails(std::string text, eddy::Duration after) {
  return [=]() -> Coro<std::string> {
    co_await eddy::sleep(after);
    throw std::runtime_error(text);
  };
}
std::string text_of(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

ASYNC_TEST(StaggeredRace, TheFirstToGiveAValueWins) {
  std::vector<Attempt> attempts{gives("slow", 1s), gives("quick", 100ms), gives("never started", 1ms)};
  const auto began = eddy::get_running_loop().time();
  const auto result = co_await eddy::staggered_race(attempts, 250ms);
  EXPECT_EQ(result.value, "quick");
  EXPECT_EQ(result.winner, 1u);
  EXPECT_EQ(result.exceptions.size(), 2u);
  EXPECT_EQ(eddy::get_running_loop().time() - began, 350ms);
  EXPECT_EQ(eddy::all_tasks().size(), 1u);
}

ASYNC_TEST(StaggeredRace, AFailureStartsTheNextAtOnce) {
  std::vector<Attempt> attempts{fails("refused", 10ms), gives("second", 10ms)};
  const auto began = eddy::get_running_loop().time();
  const auto result = co_await eddy::staggered_race(attempts, 250ms);
  EXPECT_EQ(result.value, "second");
  EXPECT_EQ(text_of(result.exceptions.at(0)), "refused");
  EXPECT_EQ(text_of(result.exceptions.at(1)), "none");
  EXPECT_EQ(eddy::get_running_loop().time() - began, 20ms);
}

ASYNC_TEST(StaggeredRace, WhenAllFailEachExceptionIsTold) {
  std::vector<Attempt> attempts{fails("a", 500ms), fails("b", 1ms), fails("c", 1ms)};
  const auto result = co_await eddy::staggered_race(attempts, 250ms);
  EXPECT_FALSE(result.value);
  EXPECT_EQ(text_of(result.exceptions.at(0)) + text_of(result.exceptions.at(1)) + text_of(result.exceptions.at(2)), "abc");
}

ASYNC_TEST(StaggeredRace, WithoutADelayOneWaitsForTheOther) {
  std::vector<Attempt> attempts{fails("a", 10s), gives("b", 1ms)};
  const auto began = eddy::get_running_loop().time();
  const auto result = co_await eddy::staggered_race(attempts, std::nullopt);
  EXPECT_EQ(result.value, "b");
  EXPECT_EQ(eddy::get_running_loop().time() - began, 10001ms);
}

ASYNC_TEST(StaggeredRace, OfNothingHasNoWinner) {
  const auto result = co_await eddy::staggered_race(std::vector<Attempt>(), 250ms);
  EXPECT_FALSE(result.value);
  EXPECT_TRUE(result.exceptions.empty());
}

TEST(StaggeredRace, CancelledAndFailingEverywhereLeavesNothing) {
  auto scenario = []() -> Coro<> {
    std::vector<Attempt> attempts{fails("a", 300ms), gives("b", 200ms), gives("c", 100ms)};
    const auto result = co_await eddy::staggered_race(attempts, 250ms);
    if (!result.value) throw std::runtime_error("all failed");
  };
  EXPECT_GE(eddy::testing::cancel_everywhere(scenario), 5u);
  EXPECT_GE(eddy::testing::fail_everywhere(scenario, std::runtime_error("swept")), 3u);
}

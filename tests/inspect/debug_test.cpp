// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cstdlib>
#include <eddy/eddy.hpp>
#include <regex>
#include <thread>

#include "support.hpp"

namespace {

Coro<> blocks(std::chrono::milliseconds length) {
  std::this_thread::sleep_for(length);
  co_return;
}

Coro<> forgotten() { co_return; }
[[gnu::noinline]] Coro<> made_elsewhere() {
  auto made = forgotten();
  asm volatile("" : : "r"(&made) : "memory");  // no tail call
  return made;
}

Coro<> fails() {
  throw std::runtime_error("lost");
  co_return;
}

std::string captured(auto call) {
  ::testing::internal::CaptureStderr();
  call();
  return ::testing::internal::GetCapturedStderr();
}

}  // namespace

// DBG-1
TEST(DebugMode, IsSwitchedByOptionsEnvironmentAndLoop) {
  auto is_on = []() -> Coro<bool> { co_return eddy::get_running_loop().get_debug(); };
  EXPECT_FALSE(eddy::run(is_on()));
  EXPECT_TRUE(eddy::run(is_on(), {.debug = true}));
  ::setenv("EDDY_DEBUG", "1", 1);
  EXPECT_TRUE(eddy::run(is_on()));
  ::setenv("EDDY_DEBUG", "0", 1);
  EXPECT_FALSE(eddy::run(is_on()));
  ::unsetenv("EDDY_DEBUG");
  eddy::EventLoop loop;
  loop.set_debug(true);
  EXPECT_TRUE(loop.get_debug());
  loop.set_debug(false);
  EXPECT_FALSE(loop.get_debug());
}

// DBG-3
TEST(DebugMode, LOOP_29_RefusesCallsOnTheWrongThread) {
  for (const bool debug : {false, true}) {
    std::string error, posted;
    auto main = [&]() -> Coro<> {
      auto& loop = eddy::get_running_loop();
      auto other = [&] {
        if (debug) error = TEXT_OF(eddy::RuntimeError, loop.call_soon([] {}));
        posted = TEXT_OF(eddy::RuntimeError, loop.call_soon_threadsafe([] {}));
      };
      co_await eddy::to_thread(other);
    };
    eddy::run(main(), {.debug = debug});
    EXPECT_EQ(posted, "");
    const std::regex wanted(
        "non-thread-safe operation on an event loop of another thread: the loop runs on thread [0-9]+, this "
        "is thread "
        "[0-9]+; use call_soon_threadsafe\\(\\) or run_coroutine_threadsafe\\(\\)");
    EXPECT_EQ(debug, std::regex_match(error, wanted)) << error;
  }
}

// DBG-4: told when it is over; the report while it lasts is the watchdog's, see look_inside_test.py
TEST(DebugMode, ReportsSlowStepsWithTheirLength) {
  const auto text = captured([] {
    auto main = []() -> Coro<> {
      eddy::get_running_loop().set_slow_callback_duration(20ms);
      co_await eddy::create_task(blocks(0ms), {.name = "quick"});
      co_await eddy::create_task(blocks(30ms), {.name = "slow"});
    };
    eddy::run(main(), {.debug = true});
  });
  EXPECT_TRUE(
      std::regex_search(text, std::regex("eddy: executing task 'slow' took 0\\.0[3-9][0-9] seconds\n")))
      << text;
  EXPECT_EQ(text.find("quick"), text.npos) << text;
}

TEST(DebugMode, LOOP_33_ReportsSlowCallbacksByTheirType) {
  const auto text = captured([] {
    auto main = []() -> Coro<> {
      auto& loop = eddy::get_running_loop();
      loop.set_slow_callback_duration(20ms);
      loop.call_soon([] { std::this_thread::sleep_for(30ms); });
      co_await eddy::sleep(1ms);
    };
    eddy::run(main(), {.debug = true});
  });
  EXPECT_TRUE(std::regex_search(
      text, std::regex("eddy: executing callback .*lambda.* took 0\\.0[3-9][0-9] seconds\n")))
      << text;
}

// DBG-2, DBG-5
ASYNC_TEST(DebugMode, AddsNativeStacksToReports) {
  auto& loop = eddy::get_running_loop();
  std::string message;
  loop.set_exception_handler([&](const eddy::ExceptionContext& context) { message = context.message; });
  loop.set_debug(true);
  { auto dropped = made_elsewhere(); }
  EXPECT_NE(message.find("was never awaited; co_await it or create_task() it\n  made by\n    "), message.npos) << message;
  const auto dropped_by = message.find("\n  dropped by\n    ");
  EXPECT_NE(dropped_by, message.npos) << message;
  EXPECT_LT(message.find("made_elsewhere"), dropped_by) << message;
  EXPECT_NE(message.find("DebugMode_AddsNativeStacksToReports_body()", dropped_by), message.npos) << message;
  EXPECT_EQ(message.find("made_elsewhere", dropped_by), message.npos) << message;

  loop.set_debug(false);
  { auto dropped = made_elsewhere(); }
  EXPECT_EQ(message.find("made by"), message.npos) << message;
  loop.set_debug(true);

  eddy::create_task(fails(), {.name = "loser"});
  co_await eddy::testing::settle();
  EXPECT_NE(message.find("was never retrieved; await it, or look at exception()\n  made by\n    "),
            message.npos)
      << message;
  EXPECT_NE(message.find("DebugMode_AddsNativeStacksToReports_body()"), message.npos) << message;
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <functional>
#include <thread>

#include "support.hpp"

using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

// Ends what run_forever() would otherwise wait for.
void run_briefly(eddy::EventLoop& loop) {
  loop.call_soon([&] { loop.stop(); });
  loop.run_forever();
}

}  // namespace

ASYNC_TEST(EventLoop, LOOP_01_LOOP_02_RunsCallbacksInOrderAndNoneInsideTheCall) {
  Log log;
  loop().call_soon([&] {
    log("a");
    loop().call_soon([&] { log("a2"); });
  });
  loop().call_soon([&] { log("b"); });
  EXPECT_EQ(log.str(), "");
  co_await settle();
  EXPECT_EQ(log.str(), "a, b, a2");
}

// 2.2 item 28
ASYNC_TEST(EventLoop, AZeroDelayComesBehindWhatIsReadyAndBeforeWhatThatPosts) {
  Log log;
  loop().call_later(0s, [&] { log("a"); });
  loop().call_soon([&] { log("b"); });
  loop().call_soon([&] {
    log("c");
    loop().call_soon([&] { log("d"); });
  });
  co_await settle();
  EXPECT_EQ(log.str(), "b, c, a, d");
}

ASYNC_TEST(EventLoop, LOOP_21_ANegativeDelayIsTheNextTurn) {
  Log log;
  loop().call_later(-5s, [&] { log("late"); });
  loop().call_at(loop().time() - 1h, [&] { log("very late"); });
  EXPECT_EQ(log.str(), "");
  co_await settle();
  EXPECT_EQ(log.str(), "very late, late");
  EXPECT_EQ(now(), 0s);
}

ASYNC_TEST(EventLoop, LOOP_22_FiresTimersByDeadlineAndTiesInOrder) {
  Log log;
  for (int i : {3, 1, 2}) loop().call_later(i * 1s, [&, i] { log(i, "at", now()); });
  loop().call_at(loop().time() + 2s, [&] { log("tie at", now()); });
  co_await eddy::sleep(10s);
  EXPECT_EQ(log.str(), "1 at 1s, 2 at 2s, tie at 2s, 3 at 3s");
}

ASYNC_TEST(EventLoop, LOOP_23_ATimerOfAHundredYearsWaitsAHundredYears) {
  bool fired = false;
  auto handle = loop().call_later(24h * 365 * 100, [&] { fired = true; });
  auto never = loop().call_later(eddy::Duration::max(), [&] { fired = true; });
  co_await eddy::sleep(24h * 365 * 99);
  EXPECT_FALSE(fired);
  EXPECT_EQ(handle.when().time_since_epoch(), 24h * 365 * 100);
  co_await eddy::sleep(24h * 366);
  EXPECT_TRUE(fired);
  never.cancel();
}

ASYNC_TEST(EventLoop, LOOP_04_LOOP_05_CancelReleasesWhatACallbackHoldsAtOnce) {
  auto token = std::make_shared<int>();
  auto soon = loop().call_soon([token] { FAIL(); });
  auto later = loop().call_later(1h, [token] { FAIL(); });
  EXPECT_EQ(token.use_count(), 3);
  soon.cancel();
  later.cancel();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_TRUE(soon.cancelled() && later.cancelled());
  later.cancel();
  co_await settle();
  EXPECT_EQ(now(), 0s);
}

ASYNC_TEST(EventLoop, LOOP_04_CancelAfterItRanDoesNothing) {
  int runs = 0;
  auto handle = loop().call_later(1s, [&] { ++runs; });
  co_await eddy::sleep(2s);
  handle.cancel();
  EXPECT_EQ(runs, 1);
}

ASYNC_TEST(EventLoop, LOOP_26_ATimerCancelledByAnotherOfTheSameMomentDoesNotRun) {
  Log log;
  eddy::TimerHandle second;
  loop().call_later(1s, [&] {
    log("first");
    second.cancel();
  });
  second = loop().call_later(1s, [&] { log("second"); });
  co_await eddy::sleep(2s);
  EXPECT_EQ(log.str(), "first");
}

ASYNC_TEST(EventLoop, ACallbackMayCancelItself) {
  auto token = std::make_shared<int>();
  eddy::Handle handle;
  handle = loop().call_soon([&handle, token] {
    handle.cancel();
    *token = 1;
  });
  co_await settle();
  EXPECT_EQ(*token, 1);
  EXPECT_EQ(token.use_count(), 1);
}

ASYNC_TEST(EventLoop, LOOP_06_LOOP_07_LOOP_08_TellsTheHandlerWhatACallbackThrewAndGoesOn) {
  Log log;
  loop().set_exception_handler([&](const eddy::ExceptionContext& context) {
    try {
      std::rethrow_exception(context.exception);
    } catch (const std::runtime_error& error) {
      log(context.message + ":", error.what());
    }
  });
  loop().call_soon([] { throw std::runtime_error("oops"); });
  loop().call_soon([&] { log("next"); });
  co_await settle();
  EXPECT_EQ(log.str(), "a callback threw: oops, next");
}

ASYNC_TEST(EventLoop, LOOP_07_PrintsWhatAThrowingHandlerThrewAndGoesOn) {
  loop().set_exception_handler([](const eddy::ExceptionContext&) { throw std::runtime_error("worse"); });
  loop().call_soon([] { throw std::runtime_error("bad"); });
  ::testing::internal::CaptureStderr();
  co_await settle();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "eddy: the exception handler threw while it handled: a callback threw\n  std::runtime_error: worse\n");
}

ASYNC_TEST(EventLoop, LOOP_08_AnEmptyHandlerRestoresTheDefault) {
  loop().set_exception_handler([](const eddy::ExceptionContext&) { FAIL(); });
  loop().set_exception_handler(std::function<void(const eddy::ExceptionContext&)>());
  loop().call_soon([] { throw std::runtime_error("bad"); });
  ::testing::internal::CaptureStderr();
  co_await settle();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "eddy: a callback threw\n  std::runtime_error: bad\n");
  loop().set_exception_handler([](const eddy::ExceptionContext&) { FAIL(); });
  loop().set_exception_handler(nullptr);
}

ASYNC_TEST(EventLoop, AHandlerMayReplaceItself) {
  Log log;
  auto name = std::make_shared<std::string>("first");
  loop().set_exception_handler([&, name](const eddy::ExceptionContext&) {
    loop().set_exception_handler([&](const eddy::ExceptionContext&) { log("second"); });
    log(*name);
  });
  loop().call_exception_handler({"one", nullptr, {}});
  loop().call_exception_handler({"two", nullptr, {}});
  EXPECT_EQ(log.str(), "first, second");
  co_return;
}

TEST(EventLoopStop, LOOP_09_BeforeTheRunEndsItAfterOneTurn) {
  eddy::EventLoop loop;
  Log log;
  loop.call_soon([&] {
    log("ready");
    loop.call_soon([&] { log("left over"); });
  });
  loop.stop();
  loop.run_forever();
  EXPECT_EQ(log.str(), "ready");
  run_briefly(loop);  // LOOP-11
  EXPECT_EQ(log.str(), "ready, left over");
}

TEST(EventLoopStop, LOOP_10_LetsWhatWasReadyRun) {
  eddy::EventLoop loop;
  Log log;
  loop.call_soon([&] {
    loop.stop();
    loop.call_soon([&] { log("next turn"); });
  });
  loop.call_soon([&] { log("same turn"); });
  loop.run_forever();
  EXPECT_EQ(log.str(), "same turn");
  EXPECT_FALSE(loop.is_running());
}

TEST(EventLoopStop, LOOP_11_TheLoopRunsAgainAndWhatWasLeftOverRuns) {
  eddy::EventLoop loop;
  Log log;
  loop.call_soon([&] {
    loop.stop();
    loop.call_soon([&] { log("left over"); });
  });
  loop.run_forever();
  EXPECT_EQ(log, "");
  loop.call_soon([&] { loop.stop(); });
  loop.run_forever();
  EXPECT_EQ(log, "left over");
}

// What sets the wall clock is another clock's business: this one counts from the machine's start.
TEST(EventLoopTime, LOOP_19_IsTheMonotonicClock) {
  eddy::EventLoop loop;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto machine = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  const auto ahead = loop.time().time_since_epoch() - machine;
  EXPECT_GE(ahead, 0ns);
  EXPECT_LT(ahead, 10s);
}

ASYNC_TEST(EventLoop, LOOP_27_ATimerThatTakesLongDelaysTheOthersAndKeepsTheirOrder) {
  auto& loop = eddy::get_running_loop();
  Log log;
  loop.call_later(10ms, [&] {
    log("long");
    // Time passes inside of it: the next two are overdue when it returns.
    loop.call_later(0ms, [&] { log("made late"); });
  });
  loop.call_later(11ms, [&] { log("a"); });
  loop.call_later(11ms, [&] { log("b"); });
  co_await eddy::sleep(20ms);
  EXPECT_EQ(log, "long, made late, a, b");
}

BACKEND_TEST(EventLoop, LOOP_27_OverdueTimersAllFireInOrderInRealTime) {
  auto& loop = eddy::get_running_loop();
  Log log;
  loop.call_later(1ms, [&] {
    log("long");
    std::this_thread::sleep_for(10ms);
  });
  for (int i = 5; i > 1; --i) loop.call_later(std::chrono::milliseconds(i), [&log, i] { log(i); });
  co_await eddy::sleep(6ms);
  EXPECT_EQ(log, "long, 2, 3, 4, 5");
}

TEST(EventLoopRun, LOOP_12_GivesTheValueOrThrowsTheException) {
  eddy::EventLoop loop;
  auto give = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  auto fail = []() -> Coro<int> { throw eddy::KeyError("no"); co_return 0; };
  EXPECT_EQ(*loop.run_until_complete(give()), 7);
  EXPECT_EQ(TEXT_OF(eddy::KeyError, loop.run_until_complete(fail())), "no");
  auto future = loop.create_future<int>();
  loop.call_later(1ms, [future] { future.set_result(3); });
  EXPECT_EQ(loop.run_until_complete(future), 3);
}

TEST(EventLoopRun, LOOP_13_SaysThatItWasStoppedBeforeTheEnd) {
  eddy::EventLoop loop({.backend = eddy::Backend::simulated});
  loop.set_exception_handler([](const eddy::ExceptionContext&) {});
  loop.call_soon([&] { loop.stop(); });
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.run_until_complete(eddy::sleep(1h))),
            "the event loop was stopped before the coroutine had ended");
}

TEST(EventLoopRun, AStopInTheTurnInWhichTheCoroutineEndsLeavesNothingBehind) {
  eddy::EventLoop loop({.backend = eddy::Backend::simulated});
  auto stop = [&]() -> Coro<int> {
    loop.stop();
    co_return 1;
  };
  EXPECT_EQ(loop.run_until_complete(stop()), 1);
  EXPECT_NO_THROW(loop.run_until_complete(eddy::sleep(1s)));  // the first run's watcher stops no other run
}

ASYNC_TEST(EventLoopRun, LOOP_14_InsideARunningLoopIsRefused) {
  eddy::EventLoop other;
  const std::string text = "an event loop already runs on this thread; inside of it, co_await the coroutine instead";
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop().run_forever()), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, other.run_forever()), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, other.run_until_complete(eddy::sleep(0s))), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::run(eddy::sleep(0s))),
            "run() cannot be called while an event loop runs on this thread; co_await the coroutine instead");
  co_return;
}

TEST(EventLoopClose, LOOP_15_TwiceDoesNothingAndLaterUseThrows) {
  eddy::EventLoop loop;
  loop.close();
  loop.close();
  EXPECT_TRUE(loop.is_closed());
  const std::string closed = "the event loop is closed";
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.run_forever()), closed);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.call_soon([] {})), closed);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.call_later(1s, [] {})), closed);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.create_future<int>()), closed);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.add_reader(0, [] {})), closed);
}

ASYNC_TEST(EventLoopClose, LOOP_15_OfARunningLoopIsRefused) {
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop().close()), "a running event loop cannot be closed; stop() it first");
  co_return;
}

TEST(EventLoopClose, LOOP_16_DestroysWhatIsPendingExactlyOnce) {
  auto token = std::make_shared<int>();
  eddy::TimerHandle kept;
  {
    eddy::EventLoop loop;
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto wait = [](std::shared_ptr<int> copy) -> Coro<> {
      co_await eddy::sleep(1h);
      *copy = 1;
    };
    auto future = loop.create_future<int>();
    future.add_done_callback([token](auto&) {});
    auto task = loop.create_task(wait(token));
    loop.create_task(wait(token));  // owned by the loop alone
    run_briefly(loop);
    loop.create_task(wait(token));  // never starts
    loop.call_soon([token] {});
    kept = loop.call_later(1h, [token] {});
    EXPECT_EQ(token.use_count(), 7);
  }
  EXPECT_EQ(token.use_count(), 1);
  kept.cancel();
}

TEST(EventLoopClose, OfTasksThatWaitForEachOtherFreesThemAll) {
  auto token = std::make_shared<int>();
  {
    eddy::EventLoop loop;
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto inner = [](std::shared_ptr<int>) -> Coro<> { co_await eddy::sleep(1h); };
    auto outer = [&](std::shared_ptr<int> copy) -> Coro<> {
      auto a = eddy::create_task(inner(copy));
      auto b = eddy::create_task(inner(copy));
      co_await eddy::gather(a, b);
    };
    loop.create_task(outer(token));
    auto watch = [](Task<> task) -> Coro<> { co_await task; };
    loop.create_task(watch(loop.create_task(outer(token))));
    for (int i = 0; i < 4; ++i) run_briefly(loop);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(EventLoopClose, LOOP_36_TenThousandLoopsLeakNoDescriptor) {
  const auto before = open_descriptors();
  for (auto backend : eddy::available_backends()) {
    for (int i = 0; i < 3334; ++i) {
      eddy::EventLoop loop({.backend = backend});
      if (i % 100 == 0) run_briefly(loop);
    }
  }
  EXPECT_EQ(open_descriptors(), before);
}

BACKEND_TEST(EventLoop, LOOP_03_CallbacksThatRepostThemselvesStarveNoTimer) {
  bool go_on = true;
  std::function<void()> spin = [&] {
    if (go_on) loop().call_soon(spin);
  };
  spin();
  co_await eddy::sleep(5ms);
  go_on = false;
  co_await settle();
}

BACKEND_TEST(EventLoop, LOOP_20_LOOP_24_ATimerIsNeverEarlyAndNotMuchLate) {
  for (auto delay : {50us, 1000us, 20000us}) {
    const auto begin = std::chrono::steady_clock::now();
    co_await eddy::sleep(delay);
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took, delay);
    EXPECT_LT(took, delay + 200ms);
  }
}

BACKEND_TEST(EventLoop, LOOP_28_IdleUsesNoProcessor) {
  const auto before = std::clock();
  co_await eddy::sleep(150ms);
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 20);
}

ASYNC_TEST(EventLoop, LOOP_25_CancelledTimersAreGone) {
  std::vector<eddy::TimerHandle> handles;
  auto token = std::make_shared<int>();
  for (int i = 0; i < 100'000; ++i) handles.push_back(loop().call_later(1h, [token] {}));
  for (std::size_t i = 0; i < handles.size(); ++i) {
    if (i % 100 != 0) handles[i].cancel();
  }
  EXPECT_EQ(token.use_count(), 1001);
  co_await eddy::sleep(2h);
  EXPECT_EQ(token.use_count(), 1);
}

ASYNC_TEST(EventLoop, LOOP_17_KnowsTheTaskInsideTasksAndNoneInCallbacks) {
  std::string text;
  loop().call_soon([&] { text = TEXT_OF(eddy::RuntimeError, eddy::current_task()); });
  co_await settle();
  EXPECT_EQ(text, "no running task: eddy's awaitables must be awaited inside a task; start one with eddy::run()");
  EXPECT_FALSE(eddy::current_task().done());
}

TEST(EventLoop, LOOP_17_OutsideOfARunThereIsNone) {
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::get_running_loop()),
            "no running event loop on this thread; start one with eddy::run()");
}

TEST(EventLoop, LOOP_37_NamesItsBackEndAndRefusesAnUnknownOne) {
  for (auto backend : eddy::available_backends()) {
    EXPECT_EQ(eddy::EventLoop({.backend = backend}).backend_name(), eddy::to_string(backend));
  }
  ::setenv("EDDY_BACKEND", "kqueue", 1);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::EventLoop()),
            "EDDY_BACKEND is 'kqueue': it must be epoll, poll, select, io_uring or simulated");
  ::unsetenv("EDDY_BACKEND");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::EventLoop({.io_poll_interval = 0})),
            "io_poll_interval is 0: it must be 1 or more");
}

// 2.2 item 29
TEST(EventLoopExit, SystemExitLeavesTheRunFromACallbackADoneCallbackAndATask) {
  eddy::EventLoop loop({.backend = eddy::Backend::simulated});
  Log log;
  auto code_of = [&](auto&& run) {
    try {
      run();
    } catch (const eddy::SystemExit& exit) {
      return exit.code();
    }
    return -1;
  };
  loop.call_soon([] { throw eddy::SystemExit(1); });
  loop.call_soon([&] { log("left over"); });
  EXPECT_EQ(code_of([&] { loop.run_forever(); }), 1);
  EXPECT_EQ(log.str(), "");
  auto future = loop.create_future<int>();
  future.add_done_callback([](auto&) { throw eddy::SystemExit(2); });
  future.set_result(1);
  EXPECT_EQ(code_of([&] { loop.run_forever(); }), 2);
  EXPECT_EQ(log.str(), "left over");
  auto leave = []() -> Coro<> { throw eddy::SystemExit(3); co_return; };
  auto background = [&]() -> Coro<> {
    auto task = eddy::create_task(leave());
    co_await eddy::sleep(1h);
  };
  loop.set_exception_handler([](const eddy::ExceptionContext&) {});
  EXPECT_EQ(code_of([&] { loop.run_until_complete(background()); }), 3);
  EXPECT_EQ(loop.time().time_since_epoch(), 0s);
}

TEST(EventLoopFork, LOOP_35_TheChildMakesALoopOfItsOwn) {
  eddy::EventLoop loop;
  const auto child = ::fork();
  if (child == 0) {
    auto work = []() -> Coro<int> {
      co_await eddy::sleep(1ms);
      co_return 42;
    };
    ::_exit(eddy::run(work()));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  run_briefly(loop);
}

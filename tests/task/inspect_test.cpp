// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fmt/format.h>

#include "support.hpp"

using eddy::testing::settle;

namespace {

std::string address(const void* object) { return fmt::format("{}", object); }

constexpr int kSleepsAt = __LINE__ + 1;
Coro<> deep_sleep() { co_await eddy::sleep(90s); }

constexpr int kAwaitsAt = __LINE__ + 1;
Coro<> outer() { co_await deep_sleep(); }

constexpr int kHoldsAt = __LINE__ + 3;
Coro<> hold(eddy::Lock& lock, eddy::Event& never) {
  auto held = co_await lock;
  co_await never.wait();
}

constexpr int kLocksAt = __LINE__ + 2;
Coro<> want(eddy::Lock& lock) {
  co_await lock.acquire();
}

const int kFailsAt = __LINE__ + 1;
Coro<> fail(const char* text) { throw std::runtime_error(text); co_return; }

}  // namespace

// LOOP: print_tasks
ASYNC_TEST(FormatTasks, ShowsEachTaskItsChainAndWhatItWaitsFor) {
  auto me = eddy::current_task();
  me.set_name("main");
  const int made = __LINE__ + 1;
  auto task = eddy::create_task(outer(), {.name = "worker"});
  co_await settle();
  const auto text = eddy::format_tasks();
  const auto expected = fmt::format(
      "task 'worker' (outer, made at inspect_test.cpp:{}): waiting\n"
      "    outer  inspect_test.cpp:{}\n"
      "    deep_sleep  inspect_test.cpp:{}\n"
      "      waits for sleep, 90s left\n",
      made, kAwaitsAt, kSleepsAt);
  EXPECT_EQ(text.substr(text.find("task 'worker'")), expected);
  EXPECT_EQ(text.substr(0, text.find(" (")), "task 'main'");
  ::testing::internal::CaptureStderr();
  eddy::print_tasks();
  EXPECT_NE(::testing::internal::GetCapturedStderr().find(expected), std::string::npos);
}

ASYNC_TEST(FormatTasks, SaysWhatEachKindOfWaitIs) {
  eddy::Event event;
  eddy::Semaphore semaphore(0);
  eddy::Queue<int> empty, full(1);
  full.put_nowait(1);
  auto future = eddy::get_running_loop().create_future<int>();
  auto task = eddy::create_task(eddy::sleep(1h), {.name = "sleeper"});
  std::vector<Task<>> tasks;
  auto wait = [](auto awaitable) -> Coro<> { static_cast<void>(co_await std::move(awaitable)); };
  auto wait_for_task = [&]() -> Coro<> { co_await task; };
  auto shielded = [&]() -> Coro<> { co_await eddy::shield(task); };
  tasks.push_back(eddy::create_task(wait(event.wait())));
  tasks.push_back(eddy::create_task(wait(semaphore.acquire())));
  tasks.push_back(eddy::create_task(wait(empty.get())));
  tasks.push_back(eddy::create_task(wait(full.put(2))));
  tasks.push_back(eddy::create_task(wait(future)));
  tasks.push_back(eddy::create_task(wait_for_task()));
  tasks.push_back(eddy::create_task(shielded()));
  tasks.push_back(eddy::create_task(wait(eddy::gather(task, eddy::sleep(1h)))));
  co_await settle();
  const auto text = eddy::format_tasks();
  for (const auto& what : {"event " + address(&event), "semaphore " + address(&semaphore),
                           "an item of queue " + address(static_cast<const eddy::detail::QueueBase*>(&empty)),
                           "room in queue " + address(static_cast<const eddy::detail::QueueBase*>(&full)) + " of 1 items",
                           std::string("a future"), std::string("task 'sleeper' ("), std::string("a shielded future"),
                           std::string("2 of 2 futures")}) {
    EXPECT_NE(text.find("waits for " + what), std::string::npos) << what << "\nin\n" << text;
  }
  for (auto& waiting : tasks) waiting.cancel();  // what they wait for goes with this body
  co_await settle();
}

// The whole text: chain, lines, and who holds the lock.
TEST(Deadlock, NamesEachTaskItsLinesAndTheOwnerOfTheLock) {
  eddy::Lock lock;
  eddy::Event never;
  int made = 0;
  auto main = [&]() -> Coro<> {
    eddy::current_task().set_name("main");
    made = __LINE__ + 1;
    auto holder = eddy::create_task(hold(lock, never), {.name = "holder"});
    auto waiter = eddy::create_task(want(lock), {.name = "waiter"});
    co_await holder;
  };
  const int awaits = made;
  static_cast<void>(awaits);
  const int run = __LINE__ + 1;
  const auto text = TEXT_OF(eddy::DeadlockError, eddy::testing::run(main()));
  const auto holder = fmt::format("'holder' (hold, made at inspect_test.cpp:{})", made);
  EXPECT_EQ(text, fmt::format("deadlock: 3 tasks wait and nothing is left that could wake them\n"
                              "  task 'main' (operator(), made at inspect_test.cpp:{}): waiting\n"
                              "    operator()  inspect_test.cpp:{}\n"
                              "      waits for task {}\n"
                              "  task {}: waiting\n"
                              "    hold  inspect_test.cpp:{}\n"
                              "      waits for event {}\n"
                              "  task 'waiter' (want, made at inspect_test.cpp:{}): waiting\n"
                              "    want  inspect_test.cpp:{}\n"
                              "      waits for lock {}, held by task {}",
                              run, made + 2, holder, holder, kHoldsAt, address(&never), made + 1, kLocksAt,
                              address(&lock), holder));
}

TEST(Deadlock, IsNotSeenWhileATimerIsLeft) {
  auto main = []() -> Coro<int> {
    eddy::Event event;
    eddy::get_running_loop().call_later(1h, [&] { event.set(); });
    co_await event.wait();
    co_return 1;
  };
  EXPECT_EQ(eddy::testing::run(main()), 1);
}

TEST(Deadlock, OfOneTaskIsSingular) {
  eddy::Event never;
  auto main = [&]() -> Coro<> { co_await never.wait(); };
  const auto text = TEXT_OF(eddy::DeadlockError, eddy::testing::run(main()));
  EXPECT_EQ(text.substr(0, text.find('\n')), "deadlock: 1 task waits and nothing is left that could wake it");
}

ASYNC_TEST(Reports, TASK_17_FUT_09_AnExceptionThatNobodyRetrieved) {
  std::string message;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) {
    message = context.message;
    EXPECT_EQ(TEXT_OF(std::runtime_error, std::rethrow_exception(context.exception)), "lost");
  });
  const int made = __LINE__ + 1;
  eddy::create_task(fail("lost"), {.name = "loser"});
  co_await settle();
  EXPECT_EQ(message, fmt::format("the exception of task 'loser' (fail, made at inspect_test.cpp:{}) was never retrieved; "
                                 "await it, or look at exception()",
                                 made));
}

ASYNC_TEST(Reports, TASK_17_NothingOfAnExceptionThatWasRead) {
  eddy::get_running_loop().set_exception_handler([](const eddy::ExceptionContext& context) { FAIL() << context.message; });
  auto task = eddy::create_task(fail("seen"));
  co_await settle();
  EXPECT_NE(task.exception(), nullptr);
}

ASYNC_TEST(Reports, AreByDefaultPrinted) {
  ::testing::internal::CaptureStderr();
  const int made = __LINE__ + 1;
  eddy::create_task(fail("lost"), {.name = "loser"});
  co_await settle();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            fmt::format("eddy: the exception of task 'loser' (fail, made at inspect_test.cpp:{}) was never retrieved; "
                        "await it, or look at exception()\n  std::runtime_error: lost\n    fail  inspect_test.cpp:{}\n",
                        made, kFailsAt));
}

namespace {

const int kTracedAt = __LINE__ + 2;
Coro<> traced_inner(bool fails) {
  co_await eddy::sleep(1ms);
  if (fails) throw std::runtime_error("deep");
}
Coro<> traced_outer() {
  for (int i = 0; i < 3; ++i) {
    try {
      co_await traced_inner(true);  // caught: no part of the way of the last one
    } catch (const std::runtime_error&) {
    }
  }
  co_await traced_inner(true);
}

}  // namespace

ASYNC_TEST(Reports, NameTheCoroutinesThatTheExceptionCameThrough) {
  std::string traceback;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { traceback = context.traceback; });
  eddy::create_task(traced_outer());
  co_await eddy::sleep(1s);
  EXPECT_EQ(traceback, fmt::format("\n    traced_outer  inspect_test.cpp:{}\n    traced_inner  inspect_test.cpp:{}",
                                   kTracedAt + 10, kTracedAt));
}

ASYNC_TEST(Reports, AFailedTaskKeepsTheWayOfItsException) {
  auto task = eddy::create_task(traced_outer());
  co_await eddy::sleep(1s);
  const auto stack = task.get_stack();
  EXPECT_EQ(stack.size(), 2u);
  if (stack.size() != 2) co_return;
  EXPECT_STREQ(stack[0].function, "traced_outer");
  EXPECT_EQ(stack[0].line, kTracedAt + 10);
  EXPECT_STREQ(stack[1].function, "traced_inner");
  EXPECT_EQ(stack[1].line, kTracedAt);
  EXPECT_NE(task.exception(), nullptr);
}

ASYNC_TEST(Reports, TASK_28_ACoroutineThatWasNeverAwaited) {
  std::string message;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { message = context.message; });
  { auto forgotten = outer(); }
  EXPECT_EQ(message, fmt::format("coroutine 'outer' ({}:{}) was never awaited; co_await it or create_task() it", __FILE__,
                                 kAwaitsAt));
  co_return;
}

TEST(Reports, TASK_19_ATaskThatItsLoopDestroyed) {
  std::string message;
  int made = 0;
  {
    eddy::EventLoop loop;
    loop.set_exception_handler([&](const eddy::ExceptionContext& context) { message = context.message; });
    made = __LINE__ + 1;
    loop.create_task(outer(), {.name = "left"});
  }
  EXPECT_EQ(message, fmt::format("task 'left' (outer, made at inspect_test.cpp:{}) was destroyed but it is pending; "
                                 "await or cancel it before its loop closes",
                                 made));
}

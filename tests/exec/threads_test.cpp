// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <atomic>
#include <thread>

#include "support.hpp"

using eddy::CancelledError;
using eddy::ThreadPoolExecutor;
using eddy::to_thread;
using eddy::testing::error_of;
using eddy::testing::Log;

namespace {

class Gate {
 public:
  void open() { open_.store(true), open_.notify_all(); }
  void pass() const { open_.wait(false); }
  bool is_open() const { return open_; }

 private:
  std::atomic<bool> open_{false};
};

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

// Lets the loop run until a thread has opened the gate.
Coro<> until(const Gate& gate) {
  while (!gate.is_open()) co_await eddy::sleep(1ms);
}

}  // namespace

BACKEND_TEST(ToThread, SYS_01_GivesValuesAndExceptionsWhileTheLoopGoesOn) {
  Gate gate;
  auto job = [&](int x) {
    gate.pass();
    return x * 2;
  };
  auto task = eddy::create_task(to_thread(job, 21));
  co_await eddy::sleep(2ms);  // the loop is not blocked
  EXPECT_FALSE(task.done());
  gate.open();
  EXPECT_EQ(co_await task, 42);
  auto fail = [] { throw eddy::KeyError("no"); };
  EXPECT_STREQ((co_await error_of<eddy::KeyError>(to_thread(fail))).what(), "no");
}

BACKEND_TEST(ToThread, CarriesMoveOnlyArgumentsAndResults) {
  auto add = [](std::unique_ptr<int> p) {
    ++*p;
    return p;
  };
  auto argument = std::make_unique<int>(1);
  auto result = co_await to_thread(add, std::move(argument));
  EXPECT_EQ(*result, 2);
  auto here = std::this_thread::get_id();
  auto id = [] { return std::this_thread::get_id(); };
  const auto there = co_await to_thread(id);
  EXPECT_NE(there, here);
}

BACKEND_TEST(ToThread, RunsInAnExecutorOfTheCallersChoice) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  auto id = [] { return std::this_thread::get_id(); };
  const auto first = co_await loop().run_in_executor(pool, id);
  const auto second = co_await loop().run_in_executor(pool, id);
  EXPECT_EQ(first, second);
  EXPECT_EQ(co_await loop().run_in_executor([](int x) { return x; }, 5), 5);
}

BACKEND_TEST(ToThread, SYS_02_CancelledBeforeItBeginsNeverRuns) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate, begun;
  std::atomic<bool> ran{false};
  auto blocker = [&] {
    begun.open();
    gate.pass();
  };
  auto never = [&] { ran = true; };
  auto body = [&]() -> Coro<> { co_await loop().run_in_executor(pool, never); };
  auto busy = pool.submit(blocker);
  co_await until(begun);
  auto task = eddy::create_task(body());
  co_await eddy::sleep(0s);
  task.cancel();
  co_await error_of<CancelledError>(task);
  gate.open();
  pool.shutdown();
  EXPECT_FALSE(ran);
}

BACKEND_TEST(ToThread, SYS_02_CancelledWhileItRunsIsWaitedFor) {
  Gate gate, begun;
  std::atomic<bool> ended{false};
  auto job = [&] {
    begun.open();
    gate.pass();
    ended = true;
  };
  auto body = [&]() -> Coro<> { co_await to_thread(job); };
  auto task = eddy::create_task(body());
  co_await until(begun);
  task.cancel();
  co_await eddy::sleep(2ms);
  EXPECT_FALSE(task.done());
  gate.open();
  co_await error_of<CancelledError>(task);
  EXPECT_TRUE(ended);
  EXPECT_TRUE(task.cancelled());
}

BACKEND_TEST(ToThread, OfAJobThatThePoolThrewAwayIsCancelled) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate, begun;
  auto blocker = [&] {
    begun.open();
    gate.pass();
  };
  auto busy = pool.submit(blocker);
  co_await until(begun);
  auto job = [] { return 1; };
  auto body = [&]() -> Coro<int> { co_return co_await loop().run_in_executor(pool, job); };
  auto task = eddy::create_task(body());
  co_await eddy::sleep(0s);
  pool.shutdown(false, true);
  co_await error_of<CancelledError>(task);
  gate.open();
  busy.result();
}

BACKEND_TEST(ToThread, SYS_04_InAPoolThatWasShutDownThrowsAndTheTaskGoesOn) {
  ThreadPoolExecutor pool;
  pool.shutdown();
  auto job = [] { return 1; };
  auto body = [&]() -> Coro<> {
    const auto error = co_await error_of<eddy::RuntimeError>(loop().run_in_executor(pool, job));
    EXPECT_STREQ(error.what(), "the thread pool takes no new jobs after shutdown()");
    co_await eddy::sleep(1h);
  };
  auto task = eddy::create_task(body());
  co_await eddy::sleep(1ms);
  task.cancel();
  co_await error_of<CancelledError>(task);
}

TEST(ToThreadOfAClosedLoop, WaitsForTheJobThatRuns) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  auto token = std::make_shared<int>();
  std::atomic<bool> ended{false};
  Gate begun;
  {
    eddy::EventLoop loop;
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto body = [&](std::shared_ptr<int> kept) -> Coro<> {
      auto job = [&begun, &ended, &kept] {
        begun.open();
        std::this_thread::sleep_for(20ms);
        *kept = 1;
        ended = true;
      };
      co_await eddy::get_running_loop().run_in_executor(pool, job);
    };
    loop.create_task(body(token));
    loop.create_task(body(token));  // queued: dropped
    auto wait = [&]() -> Coro<> { co_await until(begun); };
    loop.run_until_complete(wait());
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(token.use_count(), 1);
}

// 1,000 jobs from tasks, some of which are cancelled.
BACKEND_TEST(ToThread, ManyJobsAndCancellationsLoseNothing) {
  std::atomic<int> ran{0};
  auto job = [&] { return ++ran; };
  auto body = [&]() -> Coro<> { co_await to_thread(job); };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 300; ++i) tasks.push_back(eddy::create_task(body()));
  co_await eddy::sleep(0s);
  for (std::size_t i = 0; i < tasks.size(); i += 3) tasks[i].cancel();
  int cancelled = 0;
  for (auto& task : tasks) {
    try {
      co_await task;
    } catch (const CancelledError&) {
      ++cancelled;
    }
  }
  co_await loop().run_in_executor([] {});
  EXPECT_LE(cancelled, 100);
  EXPECT_GE(ran, 200);
}

// the virtual clock stands still while a thread works.
ASYNC_TEST(ToThread, SYS_22_TakesNoVirtualTime) {
  auto job = [] {
    std::this_thread::sleep_for(5ms);
    return 1;
  };
  auto sleeper = eddy::create_task(eddy::sleep(1h));
  EXPECT_EQ(co_await to_thread(job), 1);
  EXPECT_EQ(eddy::testing::now(), 0s);
  co_await sleeper;
}

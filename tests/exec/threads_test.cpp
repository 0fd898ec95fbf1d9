// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/stop_token.hpp>

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

// --- EXE, RUN, TRI ----------------------------------------------------------------------------------

BACKEND_TEST(ToThread, EXE_11_BlockingFetchersAreTakenAsTheyComplete) {
  Gate first, second;
  auto fetch = [&](int n) {
    (n == 1 ? first : second).pass();
    return n;
  };
  auto run = [&](int n) -> Coro<int> { co_return co_await to_thread(fetch, n); };
  std::vector<Coro<int>> fetches;
  fetches.push_back(run(2));
  fetches.push_back(run(1));
  auto completed = eddy::as_completed(std::move(fetches));
  first.open();
  auto one = co_await completed.next();
  EXPECT_EQ(one->result(), 1);
  co_await eddy::sleep(1ms);  // the loop is alive
  second.open();
  auto two = co_await completed.next();
  EXPECT_EQ(two->result(), 2);
}

BACKEND_TEST(DefaultExecutor, RefusesToWorkAfterItsShutdown) {
  auto one = [] { return 1; };
  EXPECT_EQ(co_await to_thread(one), 1);
  EXPECT_TRUE(loop().shutdown_default_executor());
  EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(to_thread(one))).what(), "Executor shutdown has been called");
  EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(loop().run_in_executor(one))).what(), "Executor shutdown has been called");
}

// RUN-4
TEST(DefaultExecutor, RUN_4_TheEndOfARunWaitsForThreadsWithALimit) {
  Gate gate;
  auto begun = std::make_shared<Gate>();
  std::string report;
  auto main = [&]() -> Coro<> {
    loop().set_exception_handler([&](const eddy::ExceptionContext& context) { report = context.message; });
    auto job = [&gate, begun] {
      begun->open();
      gate.pass();
    };
    auto body = [&]() -> Coro<> { co_await to_thread({.abandon = true}, job); };
    auto task = eddy::create_task(body());
    co_await until(*begun);
    task.cancel();
    co_await error_of<CancelledError>(task);
  };
  eddy::run(main(), {.executor_join = 20ms});
  EXPECT_EQ(report,
            "the loop's thread pool did not end within 20ms; its threads are left to themselves, still busy: eddy_0");
  gate.open();
  for (int i = 0; i < 1000 && begun.use_count() > 1; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(begun.use_count(), 1);
}

BACKEND_TEST(ToThread, TRI_08_AnAbandonedFunctionGoesOnByItself) {
  auto gate = std::make_shared<Gate>();
  auto begun = std::make_shared<Gate>();
  auto ended = std::make_shared<Gate>();
  auto job = [gate, begun, ended] {
    begun->open();
    gate->pass();
    ended->open();
    return 1;
  };
  auto body = [&]() -> Coro<int> { co_return co_await to_thread({.abandon = true}, job); };
  auto task = eddy::create_task(body());
  co_await until(*begun);
  task.cancel();
  co_await error_of<CancelledError>(task);
  EXPECT_FALSE(ended->is_open());
  gate->open();
  co_await until(*ended);
  EXPECT_EQ(co_await to_thread({.abandon = true}, job), 1);
}

// Cancels what `start` makes of a function that ends only when it is asked to stop.
Coro<> expect_asked_to_stop(auto start) {
  auto begun = std::make_shared<Gate>();
  auto stopped = std::make_shared<Gate>();
  auto job = [begun, stopped](std::stop_token stop, int n) {
    begun->open();
    while (!stop.stop_requested()) std::this_thread::sleep_for(100us);
    stopped->open();
    return n;
  };
  auto body = [&]() -> Coro<int> { co_return co_await start(job, 5); };
  auto task = eddy::create_task(body());
  co_await until(*begun);
  task.cancel();
  co_await error_of<CancelledError>(task);
  co_await until(*stopped);
}

BACKEND_TEST(ToThread, TRI_08_ACancelledWaitAsksTheFunctionToStop) {
  co_await expect_asked_to_stop([](auto job, int n) { return to_thread(job, n); });
  co_await expect_asked_to_stop([](auto job, int n) { return to_thread({}, job, n); });
  co_await expect_asked_to_stop([](auto job, int n) { return to_thread({.abandon = true}, job, n); });
  co_await expect_asked_to_stop([](auto job, int n) { return loop().run_in_executor(job, n); });
  auto quick = [](std::stop_token stop, int n) { return stop.stop_possible() ? n : 0; };
  EXPECT_EQ(co_await to_thread(quick, 7), 7);
}

BACKEND_TEST(ToThread, RunsInACopyOfTheCallersContext) {
  static eddy::ContextVar<int> user("user");
  user.set(7);
  const auto read_and_set = [] {
    const int before = user.get();
    user.set(8);
    return before;
  };
  EXPECT_EQ(co_await to_thread(read_and_set), 7);
  EXPECT_EQ(co_await to_thread({}, read_and_set), 7);
  EXPECT_EQ(co_await to_thread({.abandon = true}, read_and_set), 7);
  EXPECT_EQ(user.get(), 7);
}

BACKEND_TEST(ToThread, TRI_06_BorrowsATokenOfALimiter) {
  eddy::CapacityLimiter limiter(2);
  std::atomic<int> inside{0}, most{0};
  auto job = [&] {
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::sleep_for(1ms);
    --inside;
  };
  std::vector<Coro<>> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(to_thread({.limiter = &limiter}, job));
  co_await eddy::gather(std::move(jobs));
  EXPECT_LE(most, 2);
  EXPECT_EQ(limiter.borrowed_tokens(), 0u);
  auto fail = [] { throw eddy::KeyError("no"); };
  co_await error_of<eddy::KeyError>(to_thread({.limiter = &limiter}, fail));
  EXPECT_EQ(limiter.borrowed_tokens(), 0u);
  EXPECT_STREQ((co_await error_of<eddy::ValueError>(to_thread({.abandon = true, .limiter = &limiter}, fail))).what(),
               "to_thread: .abandon and .limiter exclude each other: an abandoned function would run on without a token");
}

// SYS-03: a thread calls back into the loop and waits for it.
BACKEND_TEST(ToThread, TRI_08_AFunctionCallsBackIntoTheLoop) {
  auto& here = loop();
  auto twice = [](int n) -> Coro<int> {
    co_await eddy::sleep(0s);
    co_return n * 2;
  };
  auto job = [&] { return eddy::run_coroutine_threadsafe(twice(4), here).result(); };
  EXPECT_EQ(co_await to_thread(job), 8);
}

BACKEND_TEST(WrapFuture, GivesACopyToEachWaiter) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate;
  auto future = pool.submit([&] { return gate.pass(), std::string("text"); });
  auto wait = [&]() -> Coro<std::string> { co_return co_await eddy::wrap_future(future); };
  auto a = eddy::create_task(wait());
  auto b = eddy::create_task(wait());
  co_await eddy::sleep(1ms);
  gate.open();
  const auto both = (co_await a) + (co_await b);
  EXPECT_EQ(both, "texttext");
  EXPECT_EQ(co_await eddy::wrap_future(future), "text");
}

BACKEND_TEST(WrapFuture, ABrokenPoolReachesTheAwait) {
  ThreadPoolExecutor pool({.max_workers = 1}, [] { throw eddy::ValueError("no"); });
  auto one = [] { return 1; };
  co_await error_of<eddy::BrokenThreadPool>(loop().run_in_executor(pool, one));
  co_await error_of<eddy::BrokenThreadPool>(loop().run_in_executor(pool, one));
}

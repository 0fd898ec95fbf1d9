// SPDX-License-Identifier: MIT
#include <eddy/concurrent.hpp>
#include <eddy/exceptions.hpp>

#include <atomic>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

#include "support.hpp"

using eddy::ThreadPoolExecutor;
using eddy::testing::Log;

namespace {

// Keeps a worker busy until it is opened.
class Gate {
 public:
  void open() { open_.store(true), open_.notify_all(); }
  void pass() const { open_.wait(false); }

 private:
  std::atomic<bool> open_{false};
};

}  // namespace

TEST(ThreadPool, GivesValuesAndExceptions) {
  ThreadPoolExecutor pool{{.max_workers = 2}};
  EXPECT_EQ(pool.submit([](int a, int b) { return a + b; }, 2, 3).result(), 5);
  auto failed = pool.submit([] { throw eddy::KeyError("no"); });
  EXPECT_EQ(TEXT_OF(eddy::KeyError, failed.result()), "no");
  EXPECT_NE(failed.exception(), nullptr);
  EXPECT_EQ(*pool.submit([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(4)).result(), 4);
}

TEST(ThreadPool, SYS_05_SYNC_15_RunsNoMoreThanItsWorkersAtOnce) {
  ThreadPoolExecutor pool{{.max_workers = 3}};
  std::atomic<int> inside{0}, most{0};
  std::vector<eddy::concurrent::Future<void>> jobs;
  for (int i = 0; i < 30; ++i) {
    jobs.push_back(pool.submit([&] {
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::sleep_for(1ms);
      --inside;
    }));
  }
  for (auto& job : jobs) job.result();
  EXPECT_LE(most, 3);
}

TEST(ThreadPool, SYS_05_BeginsJobsInTheOrderInWhichTheyCame) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Log log;
  for (int i = 0; i < 5; ++i) pool.submit([&, i] { log(i); });
  pool.shutdown();
  EXPECT_EQ(log.str(), "0, 1, 2, 3, 4");
}

TEST(ThreadPool, CancelsAQueuedJobButNotARunningOne) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate, begun;
  auto running = pool.submit([&] {
    begun.open();
    gate.pass();
    return 1;
  });
  auto queued = pool.submit([] { return 2; });
  begun.pass();
  EXPECT_TRUE(running.running());
  EXPECT_FALSE(running.cancel());
  EXPECT_TRUE(queued.cancel());
  EXPECT_TRUE(queued.cancel());
  EXPECT_TRUE(queued.cancelled() && queued.done());
  EXPECT_THROW(queued.result(), eddy::CancelledError);
  EXPECT_THROW(queued.exception(), eddy::CancelledError);
  gate.open();
  EXPECT_EQ(running.result(), 1);
  EXPECT_FALSE(running.cancel());
}

TEST(ThreadPool, ResultGivesUpAfterItsTimeout) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate;
  auto job = pool.submit([&] { gate.pass(); });
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, job.result(20ms)), "the future had no result after 20ms");
  gate.open();
  EXPECT_NO_THROW(job.result(10s));
}

TEST(ThreadPool, CallsBackWhenDoneOrAtOnce) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  std::atomic<int> calls{0};
  Gate gate;
  auto job = pool.submit([&] {
    gate.pass();
    return 3;
  });
  job.add_done_callback([&](eddy::concurrent::Future<int>& done) { calls += done.result(); });
  gate.open();
  pool.shutdown();
  EXPECT_EQ(calls, 3);
  job.add_done_callback([&](auto&) { ++calls; });
  EXPECT_EQ(calls, 4);
}

TEST(ThreadPool, SYS_04_RefusesJobsAfterShutdown) {
  ThreadPoolExecutor pool;
  pool.shutdown();
  pool.shutdown();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, pool.submit([] {})), "the thread pool takes no new jobs after shutdown()");
}

TEST(ThreadPool, ShutdownRunsWhatWasSubmittedUnlessItIsCancelled) {
  std::atomic<int> ran{0};
  {
    ThreadPoolExecutor pool{{.max_workers = 2}};
    for (int i = 0; i < 20; ++i) pool.submit([&] { ++ran; });
  }
  EXPECT_EQ(ran, 20);
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate, begun;
  auto running = pool.submit([&] {
    begun.open();
    gate.pass();
    return 1;
  });
  auto queued = pool.submit([] { return 2; });
  begun.pass();
  pool.shutdown(false, true);
  EXPECT_TRUE(queued.cancelled());
  EXPECT_THROW(queued.result(), eddy::CancelledError);
  gate.open();
  EXPECT_EQ(running.result(), 1);
}

TEST(ThreadPool, MapsInOrder) {
  ThreadPoolExecutor pool{{.max_workers = 4}};
  const std::vector<int> numbers{3, 1, 2};
  EXPECT_EQ(pool.map([](int n) { return n * n; }, numbers), (std::vector{9, 1, 4}));
}

TEST(BlockingAsCompleted, GivesFuturesAsTheyEndAndKnowsItsTimeout) {
  ThreadPoolExecutor pool{{.max_workers = 3}};
  Gate first, second, never;
  std::vector<eddy::concurrent::Future<int>> jobs;
  jobs.push_back(pool.submit([&] { return second.pass(), 2; }));
  jobs.push_back(pool.submit([&] { return first.pass(), 1; }));
  jobs.push_back(pool.submit([&] { return never.pass(), 3; }));
  first.open();
  Log log;
  const auto text = TEXT_OF(eddy::TimeoutError, {
    for (auto& job : eddy::concurrent::as_completed(jobs, 100ms)) {
      log(job.result());
      second.open();
    }
  });
  EXPECT_EQ(log.str(), "1, 2");
  EXPECT_EQ(text, "1 of 3 futures had not ended after 100ms");
  never.open();
}

TEST(ThreadPool, ACancelRacesWithTheStartAndOneOfThemWins) {
  ThreadPoolExecutor pool{{.max_workers = 2}};
  for (int i = 0; i < 500; ++i) {
    std::atomic<bool> ran{false};
    auto job = pool.submit([&] { ran = true; });
    const bool cancelled = job.cancel();
    try {
      job.result();
    } catch (const eddy::CancelledError&) {
    }
    EXPECT_EQ(cancelled, job.cancelled());
    EXPECT_NE(cancelled, ran.load());
  }
}

// --- concurrent.futures, point by point -------------------------------------------------------------

namespace {
std::string thread_name() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}
std::atomic<int> set_ups{0};
void set_up() { ++set_ups; }
void set_up_badly() { throw eddy::ValueError("no such file"); }

// A sanitizer's own threads come and go: only those of the pool count.
std::ptrdiff_t threads_named(std::string_view prefix) {
  std::ptrdiff_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(entry.path() / "comm"), name);
    if (name.starts_with(prefix)) ++count;
  }
  return count;
}
}  // namespace

TEST(ThreadPool, EXE_01_SubmitReturnsAtOnceAndFuturesTellTheirState) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate, begun;
  auto running = pool.submit([&] { begun.open(), gate.pass(); });
  auto pending = pool.submit([] {});
  begun.pass();
  EXPECT_EQ(to_string(running), "running");
  EXPECT_EQ(to_string(pending), "pending");
  pending.cancel();
  EXPECT_EQ(to_string(pending), "cancelled");
  gate.open();
  running.result();
  EXPECT_EQ(to_string(running), "finished");
}

TEST(ThreadPool, EXE_05_IdleThreadsStayAndAreUsedAgain) {
  ThreadPoolExecutor pool{{.max_workers = 4, .thread_name_prefix = "idle"}};
  for (int i = 0; i < 10; ++i) pool.submit([] {}).result();
  EXPECT_GE(threads_named("idle"), 1);
  std::set<std::thread::id> used;
  for (int i = 0; i < 20; ++i) used.insert(pool.submit([] { return std::this_thread::get_id(); }).result());
  EXPECT_LE(used.size(), 4u);
  EXPECT_LE(threads_named("idle"), 4);
}

TEST(ThreadPool, EXE_08_ThreadsStartByNeed) {
  ThreadPoolExecutor pool{{.max_workers = 8, .thread_name_prefix = "by_need"}};
  Gate gate, begun[3];
  std::vector<eddy::concurrent::Future<void>> jobs;
  for (auto& one : begun) {
    jobs.push_back(pool.submit([&] {
      one.open();
      gate.pass();
    }));
  }
  for (auto& one : begun) one.pass();
  EXPECT_EQ(threads_named("by_need"), 3);
  gate.open();
}

// One thread for each queue: n redis writers, each in the order of its own queue.
TEST(ThreadPool, EXE_10_SeveralPoolsOfOneThreadKeepTheirOwnOrder) {
  std::vector<std::unique_ptr<ThreadPoolExecutor>> writers;
  std::vector<std::vector<int>> written(3);
  for (int i = 0; i < 3; ++i) writers.push_back(std::make_unique<ThreadPoolExecutor>(eddy::ThreadPoolOptions{.max_workers = 1}));
  for (int n = 0; n < 300; ++n) {
    const auto queue = static_cast<std::size_t>(n % 3);
    writers[queue]->submit([&written, queue, n] { written[queue].push_back(n); });
  }
  writers.clear();
  for (const auto& numbers : written) {
    EXPECT_EQ(numbers.size(), 100u);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST(ThreadPool, CF_3_NamesItsThreads) {
  ThreadPoolExecutor pool{{.max_workers = 1, .thread_name_prefix = "redis"}};
  EXPECT_EQ(pool.submit(thread_name).result(), "redis_0");
  Gate gate, begun;
  auto job = pool.submit([&] { begun.open(), gate.pass(); });
  begun.pass();
  EXPECT_EQ(pool.busy_threads(), std::vector<std::string>{"redis_0"});
  gate.open();
  job.result();
  EXPECT_TRUE(ThreadPoolExecutor{{.max_workers = 1}}.submit(thread_name).result().starts_with("pool-"));
}

TEST(ThreadPool, CF_3_AnInitializerRunsFirstInEachThread) {
  ThreadPoolExecutor pool{{.max_workers = 1, .initializer = set_up}};
  pool.submit([] {}).result();
  pool.submit([] {}).result();
  EXPECT_EQ(set_ups, 1);
  std::string seen;
  ThreadPoolExecutor with({.max_workers = 1}, [&seen](const std::string& text, int n) { seen = text + std::to_string(n); }, "a", 1);
  with.submit([] {}).result();
  EXPECT_EQ(seen, "a1");
}

TEST(ThreadPool, CF_3_AFailingInitializerBreaksThePool) {
  ThreadPoolExecutor pool{{.max_workers = 1, .initializer = set_up_badly}};
  const std::string text = "the initializer of a thread of the pool failed: no such file";
  auto job = pool.submit([] { return 1; });
  EXPECT_EQ(TEXT_OF(eddy::BrokenThreadPool, job.result()), text);
  EXPECT_EQ(TEXT_OF(eddy::BrokenThreadPool, pool.submit([] {})), text);
}

TEST(ThreadPool, CF_2_MapGivesUpAfterItsTimeoutAndCancelsTheRest) {
  ThreadPoolExecutor pool{{.max_workers = 1}};
  Gate gate;
  std::atomic<int> ran{0};
  const auto job = [&](int) {
    gate.pass();
    return ++ran;
  };
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, pool.map(job, std::vector{1, 2, 3}, {.timeout = 20ms})),
            "map: not every result was there after 20ms");
  gate.open();
  pool.shutdown();
  EXPECT_EQ(ran, 1);
}

TEST(ThreadPool, CF_2_MapThrowsTheFirstExceptionInOrder) {
  ThreadPoolExecutor pool{{.max_workers = 2}};
  const auto job = [](int n) -> int { throw eddy::KeyError(std::to_string(n)); };
  EXPECT_EQ(TEXT_OF(eddy::KeyError, pool.map(job, std::vector{1, 2})), "1");
}

TEST(BlockingWait, CF_1_EndsWithTheFirstTheFirstFailureOrAll) {
  ThreadPoolExecutor pool{{.max_workers = 3}};
  Gate second, third;
  std::vector<eddy::concurrent::Future<int>> jobs;
  jobs.push_back(pool.submit([&] { return third.pass(), 3; }));
  jobs.push_back(pool.submit([] { return 1; }));
  jobs.push_back(pool.submit([&]() -> int { second.pass(), throw eddy::KeyError("no"); }));
  auto sets = eddy::concurrent::wait(jobs, {.return_when = eddy::FIRST_COMPLETED});
  EXPECT_EQ(sets.done.size(), 1u);
  EXPECT_EQ(sets.done[0].result(), 1);
  EXPECT_EQ(eddy::concurrent::wait(jobs, {.timeout = 10ms}).pending.size(), 2u);
  second.open();
  sets = eddy::concurrent::wait(jobs, {.return_when = eddy::FIRST_EXCEPTION});
  EXPECT_EQ(sets.done.size(), 2u);
  EXPECT_EQ(sets.pending.size(), 1u);
  third.open();
  EXPECT_EQ(eddy::concurrent::wait(jobs).done.size(), 3u);
  EXPECT_EQ(eddy::concurrent::wait(std::vector<eddy::concurrent::Future<int>>{}).done.size(), 0u);
}

TEST(BlockingFuture, CF_1_AnExecutorOfOnesOwnFillsIt) {
  using eddy::concurrent::Future;
  auto future = Future<int>::create();
  EXPECT_TRUE(future.set_running_or_notify_cancel());
  EXPECT_FALSE(future.cancel());
  future.set_result(5);
  EXPECT_EQ(future.result(), 5);
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, future.set_result(6)), "set_result: the future is done already");
  auto cancelled = Future<>::create();
  cancelled.cancel();
  EXPECT_FALSE(cancelled.set_running_or_notify_cancel());
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, cancelled.set_result()), "set_result: the future is cancelled already");
  auto failed = Future<int>::create();
  failed.set_exception(std::make_exception_ptr(eddy::KeyError("no")));
  EXPECT_THROW(failed.result(), eddy::KeyError);
}

TEST(ThreadPool, ShutdownWithinALimitTellsWhetherAllEnded) {
  Gate gate, begun;
  ThreadPoolExecutor pool{{.max_workers = 1}};
  pool.submit([&] { begun.open(), gate.pass(); });
  begun.pass();
  EXPECT_FALSE(pool.shutdown_within(10ms));
  gate.open();
  EXPECT_TRUE(pool.shutdown_within(10s));
}

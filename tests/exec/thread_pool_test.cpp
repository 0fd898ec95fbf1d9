// SPDX-License-Identifier: MIT
#include <eddy/concurrent.hpp>
#include <eddy/exceptions.hpp>

#include <atomic>
#include <mutex>
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

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "support.hpp"

TEST(Posting, LOOP_30_AMillionFromEightThreadsAllRunEachThreadsInOrder) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int kEach = 12'500;
#else
  constexpr int kEach = 125'000;
#endif
  constexpr int kThreads = 8;
  eddy::EventLoop loop;
  std::vector<int> next(kThreads);
  int ran = 0, out_of_order = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.call_soon_threadsafe([&, t, i] {
          if (next[static_cast<std::size_t>(t)]++ != i) ++out_of_order;
          if (++ran == kThreads * kEach) loop.stop();
        });
      }
    });
  }
  loop.run_forever();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ran, kThreads * kEach);
  EXPECT_EQ(out_of_order, 0);
}

BACKEND_TEST(Posting, LOOP_29_WakesALoopThatSleeps) {
  auto& loop = eddy::get_running_loop();
  auto future = loop.create_future<eddy::TimePoint>();
  std::thread poster([&] {
    std::this_thread::sleep_for(30ms);
    const auto posted = loop.time();
    loop.call_soon_threadsafe([&, posted] { future.set_result(posted); });
  });
  const auto posted = co_await future;
  EXPECT_LT(loop.time() - posted, 100ms);
  poster.join();
}

TEST(Posting, LOOP_31_ToAClosedLoopThrowsAndDestroysTheCallback) {
  eddy::EventLoop loop;
  loop.close();
  auto token = std::make_shared<int>();
  std::string text;
  std::thread([&, copy = token]() mutable {
    text = TEXT_OF(eddy::RuntimeError, loop.call_soon_threadsafe([kept = std::move(copy)] {}));
  }).join();
  EXPECT_EQ(text, "the event loop is closed");
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Posting, WhileTheLoopClosesNeitherCrashesNorLeaks) {
  for (int round = 0; round < 50; ++round) {
    auto token = std::make_shared<int>();
    auto loop = std::make_unique<eddy::EventLoop>();
    std::atomic<bool> refused{false};
    std::thread poster([&, token] {
      try {
        for (;;) loop->call_soon_threadsafe([token] {});
      } catch (const eddy::RuntimeError&) {
        refused = true;
      }
    });
    std::this_thread::sleep_for(200us);
    loop->close();
    poster.join();
    EXPECT_TRUE(refused);
    loop.reset();
    EXPECT_EQ(token.use_count(), 1);
  }
}

ASYNC_TEST(Posting, LOOP_32_FromTheLoopsOwnThreadWorks) {
  bool ran = false;
  eddy::get_running_loop().call_soon_threadsafe([&] { ran = true; });
  EXPECT_FALSE(ran);
  co_await eddy::testing::settle();
  EXPECT_TRUE(ran);
}

TEST(Posting, LOOP_18_LoopsOfTwoThreadsAreIndependent) {
  auto work = [](int n) -> Coro<int> {
    int sum = 0;
    for (int i = 0; i < n; ++i) {
      co_await eddy::sleep(0s);
      sum += i;
    }
    co_return sum;
  };
  int a = 0, b = 0;
  std::thread first([&] { a = eddy::run(work(2000)); });
  std::thread second([&] { b = eddy::run(work(1000)); });
  first.join();
  second.join();
  EXPECT_EQ(a, 1999000);
  EXPECT_EQ(b, 499500);
}

// The thread may be gone before the loop looks for threads that could still wake it.
BACKEND_TEST(Posting, ByAThreadThatEndsAtOnceIsNoDeadlock) {
  auto& loop = eddy::get_running_loop();
  for (int round = 0; round < 300; ++round) {
    auto future = loop.create_future<int>();
    std::thread thread([&] { loop.call_soon_threadsafe([&] { future.set_result(round); }); });
    EXPECT_EQ(co_await future, round);
    thread.join();
  }
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <atomic>
#include <thread>

#include "support.hpp"

using eddy::CancelledError;
using eddy::run_coroutine_threadsafe;
using eddy::testing::Log;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

Coro<int> give(int value, eddy::Duration after = 1ms) {
  co_await eddy::sleep(after);
  co_return value;
}

}  // namespace

BACKEND_TEST(ThreadsafeRun, FUT_13_SYS_03_GivesValuesAndExceptionsToAThread) {
  auto& here = loop();
  auto fail = []() -> Coro<> {
    co_await eddy::sleep(1ms);
    throw eddy::KeyError("no");
  };
  auto job = [&] {
    auto value = run_coroutine_threadsafe(give(4), here).result();
    auto text = TEXT_OF(eddy::KeyError, run_coroutine_threadsafe(fail(), here).result());
    return std::to_string(value) + " " + text;
  };
  EXPECT_EQ(co_await eddy::to_thread(job), "4 no");
}

// 2.2 item 22
BACKEND_TEST(ThreadsafeRun, FUT_13_CancelledByTheThreadCancelsTheTask) {
  auto& here = loop();
  auto unwound = loop().create_future<>();
  std::atomic<bool> begun{false};
  auto wait = [&]() -> Coro<int> {
    begun = true;
    begun.notify_all();
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      unwound.set_result();
      throw;
    }
    co_return 1;
  };
  auto job = [&] {
    auto future = run_coroutine_threadsafe(wait(), here);
    begun.wait(false);
    EXPECT_THROW(future.result(10ms), eddy::TimeoutError);
    EXPECT_TRUE(future.cancel());
    EXPECT_THROW(future.result(), CancelledError);
  };
  co_await eddy::to_thread(job);
  co_await unwound;
}

// 2.2 item 22
BACKEND_TEST(ThreadsafeRun, WhoseTaskIsCancelledIsCancelled) {
  auto& here = loop();
  auto cancel_itself = []() -> Coro<int> {
    eddy::current_task().cancel();
    co_await eddy::sleep(1h);
    co_return 1;
  };
  auto job = [&] {
    auto future = run_coroutine_threadsafe(cancel_itself(), here);
    EXPECT_THROW(future.result(), CancelledError);
    return future.cancelled();
  };
  EXPECT_TRUE(co_await eddy::to_thread(job));
}

BACKEND_TEST(ThreadsafeRun, CancelledAtOnceNeverRuns) {
  auto& here = loop();
  std::atomic<int> ran{0};
  auto body = [&]() -> Coro<> {
    ++ran;
    co_await eddy::sleep(1h);
  };
  auto blocked = [&] {
    auto future = run_coroutine_threadsafe(body(), here);
    future.cancel();
    return future.cancelled();
  };
  // On the loop's own thread: it cannot begin before it is cancelled.
  EXPECT_TRUE(blocked());
  co_await eddy::sleep(2ms);
  EXPECT_EQ(ran, 0);
}

TEST(ThreadsafeRunOfAClosedLoop, SYS_03_Throws) {
  eddy::EventLoop closed;
  closed.close();
  closed.set_exception_handler([](const eddy::ExceptionContext&) {});
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, run_coroutine_threadsafe(give(1), closed)), "the event loop is closed");
  ::testing::internal::GetCapturedStderr();
}

// nobody waits without end for a loop that is gone.
TEST(ThreadsafeRunOfALoopThatCloses, SYS_03_IsCancelled) {
  eddy::concurrent::Future<int> never_began, began;
  {
    eddy::EventLoop loop;
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    began = run_coroutine_threadsafe(give(1, 1h), loop);
    loop.run_until_complete(eddy::sleep(1ms));
    never_began = run_coroutine_threadsafe(give(2), loop);
  }
  EXPECT_TRUE(began.cancelled() && never_began.cancelled());
  EXPECT_THROW(began.result(), CancelledError);
  EXPECT_FALSE(!began.cancel());
}

TEST(ThreadsafeRunOfALoopThatShutsDown, IsCancelledBeforeItsFirstStep) {
  eddy::concurrent::Future<int> late;
  auto main = [&]() -> Coro<> {
    late = run_coroutine_threadsafe(give(1, 1h), loop());
    co_await eddy::sleep(0s);  // its task is made and has not run
  };
  eddy::run(main());
  EXPECT_TRUE(late.cancelled());
}

TEST(ThreadsafeRun, ManyThreadsShareALoop) {
  auto main = []() -> Coro<int> {
    auto& here = loop();
    auto add = [&here](int n) {
      int sum = 0;
      for (int i = 0; i < n; ++i) sum += run_coroutine_threadsafe(give(1, 0s), here).result();
      return sum;
    };
    auto [a, b, c] = co_await eddy::gather(eddy::to_thread(add, 50), eddy::to_thread(add, 60), eddy::to_thread(add, 70));
    co_return a + b + c;
  };
  EXPECT_EQ(eddy::run(main()), 180);
}

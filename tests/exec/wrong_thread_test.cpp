// SPDX-License-Identifier: MIT
// SYN-15: what would wake a task of a loop that runs on another thread is refused, and changes nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <eddy/eddy.hpp>

#include "support.hpp"

namespace {

// What `use` throws on another thread, while `waits` waits on this one's loop.
template <class Use>
Coro<> refused(Coro<> waits, Use use) {
  auto waiter = eddy::create_task(std::move(waits));
  co_await eddy::testing::settle();
  std::string text;
  const int here = ::gettid();
  int there = 0;
  auto elsewhere = [&] {
    there = ::gettid();
    text = TEXT_OF(eddy::RuntimeError, use());
  };
  co_await eddy::to_thread(elsewhere);
  EXPECT_EQ(text, fmt::format("non-thread-safe operation on an event loop of another thread: the loop runs on thread {}, this "
                              "is thread {}; use call_soon_threadsafe() or run_coroutine_threadsafe()",
                              here, there));
  EXPECT_FALSE(waiter.done());
  use();  // here it is right
  co_await eddy::testing::settle();
  EXPECT_TRUE(waiter.done());
}

template <class Awaitable>
Coro<> wait_on(Awaitable awaitable) {
  co_await std::move(awaitable);
}

template <class E, class Awaitable>
Coro<std::string> text_of(Awaitable awaitable) {
  const E error = co_await eddy::testing::error_of<E>(std::move(awaitable));
  co_return error.what();
}

}  // namespace

BACKEND_TEST(WrongThread, CannotReleaseALock) {
  eddy::Lock lock;
  co_await lock.acquire();
  co_await refused(wait_on(lock.acquire()), [&] { lock.release(); });
  EXPECT_TRUE(lock.locked());
}

BACKEND_TEST(WrongThread, CannotSetAnEvent) {
  eddy::Event event;
  co_await refused(wait_on(event.wait()), [&] { event.set(); });
}

BACKEND_TEST(WrongThread, CannotReleaseASemaphore) {
  eddy::Semaphore semaphore(0);
  co_await refused(wait_on(semaphore.acquire()), [&] { semaphore.release(); });
  EXPECT_TRUE(semaphore.locked());
}

BACKEND_TEST(WrongThread, CannotNotifyACondition) {
  eddy::Condition condition;
  auto waits = [&]() -> Coro<> {
    auto held = co_await condition;
    co_await condition.wait();
  };
  auto waiter = eddy::create_task(waits());
  co_await eddy::testing::settle();
  {
    auto held = co_await condition;
    std::string text;
    auto elsewhere = [&] { text = TEXT_OF(eddy::RuntimeError, condition.notify(1)); };
    co_await eddy::to_thread(elsewhere);
    EXPECT_TRUE(text.starts_with("non-thread-safe operation on an event loop of another thread: ")) << text;
    condition.notify(1);
  }
  co_await waiter;
}

BACKEND_TEST(WrongThread, CannotPutIntoAQueueThatIsWaitedFor) {
  eddy::Queue<int> queue;
  co_await refused(wait_on(queue.get()), [&] { queue.put_nowait(1); });
  EXPECT_TRUE(queue.empty());
}

BACKEND_TEST(WrongThread, CannotTakeFromAQueueThatIsWaitedFor) {
  eddy::Queue<int> queue(1);
  queue.put_nowait(1);
  co_await refused(wait_on(queue.put(2)), [&] { queue.get_nowait(); });
  EXPECT_EQ(queue.qsize(), 1u);
}

BACKEND_TEST(WrongThread, CannotShutAQueueDown) {
  eddy::Queue<int> queue;
  auto waits = [&]() -> Coro<> {
    try {
      co_await queue.get();
    } catch (const eddy::QueueShutDown&) {
    }
  };
  co_await refused(waits(), [&] { queue.shutdown(); });
}

BACKEND_TEST(WrongThread, CannotEndAFuture) {
  auto value = eddy::get_running_loop().create_future<int>();
  co_await refused(wait_on(value), [&] { value.set_result(1); });
  EXPECT_EQ(value.result(), 1);
  auto failed = eddy::get_running_loop().create_future<int>();
  auto waits = [](eddy::Future<int> future) -> Coro<> {
    EXPECT_EQ(co_await text_of<std::runtime_error>(future), "lost");
  };
  co_await refused(waits(failed), [&] { failed.set_exception(std::make_exception_ptr(std::runtime_error("lost"))); });
}

// A primitive whose tasks wait in one loop cannot be waited for in another.
TEST(TwoLoops, CannotShareAPrimitiveThatIsWaitedFor) {
  eddy::Lock lock;
  eddy::Event event;
  eddy::Semaphore semaphore(0);
  eddy::Queue<int> queue;
  eddy::EventLoop first;
  std::vector<Task<>> waiters;
  auto hold = [&]() -> Coro<> { co_await lock.acquire(); };
  first.run_until_complete(hold());
  waiters.push_back(first.create_task(wait_on(lock.acquire())));
  waiters.push_back(first.create_task(wait_on(event.wait())));
  waiters.push_back(first.create_task(wait_on(semaphore.acquire())));
  waiters.push_back(first.create_task(wait_on(queue.get())));
  first.run_until_complete(eddy::testing::settle());

  auto second = [&]() -> Coro<> {
    const std::string rest = " belongs to another event loop, whose tasks wait for it; make one for each loop";
    EXPECT_EQ(co_await text_of<eddy::RuntimeError>(lock.acquire()), "the lock" + rest);
    EXPECT_EQ(co_await text_of<eddy::RuntimeError>(event.wait()), "the event" + rest);
    EXPECT_EQ(co_await text_of<eddy::RuntimeError>(semaphore.acquire()), "the semaphore" + rest);
    EXPECT_EQ(co_await text_of<eddy::RuntimeError>(queue.get()),
              "the queue belongs to another event loop, whose tasks wait at it; make one for each loop");
  };
  eddy::run(second());
  for (auto& waiter : waiters) waiter.cancel();
  first.run_until_complete(eddy::testing::settle());
}

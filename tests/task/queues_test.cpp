// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

ASYNC_TEST(Queues, SYNC_09_GiveInTheirOrder) {
  eddy::Queue<int> fifo;
  eddy::LifoQueue<int> lifo;
  eddy::PriorityQueue<int> priority;
  for (int i : {2, 3, 1}) {
    fifo.put_nowait(i);
    lifo.put_nowait(i);
    priority.put_nowait(i);
  }
  Log log;
  for (int i = 0; i < 3; ++i) log(fifo.get_nowait(), lifo.get_nowait(), priority.get_nowait());
  EXPECT_EQ(log.str(), "2 1 1, 3 3 2, 1 2 3");
  co_return;
}

ASYNC_TEST(Queues, SYNC_09_WaitForRoomAndForItems) {
  eddy::Queue<int> queue(1);
  Log log;
  auto producer = [&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      co_await queue.put(i);
      log("put", i, "at", now());
    }
  };
  auto task = eddy::create_task(producer());
  co_await eddy::sleep(1s);
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(queue.maxsize(), 1u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await queue.get(), i);
  co_await task;
  EXPECT_EQ(log.str(), "put 0 at 0s, put 1 at 1s, put 2 at 1s");
}

ASYNC_TEST(Queues, SYNC_09_ThrowWhatNowaitCannotDo) {
  eddy::Queue<int> queue(1);
  EXPECT_EQ(TEXT_OF(eddy::QueueEmpty, queue.get_nowait()), "the queue is empty; co_await get() waits for an item");
  queue.put_nowait(1);
  EXPECT_EQ(TEXT_OF(eddy::QueueFull, queue.put_nowait(2)), "the queue is full; co_await put() waits for room");
  co_return;
}

// 2.2 item 26
ASYNC_TEST(Queues, SYNC_10_ACancelledGetLosesNothing) {
  eddy::Queue<int> queue;
  Log log;
  auto body = [&](int id) -> Coro<> { log(id, "got", co_await queue.get()); };
  auto first = eddy::create_task(body(1));
  auto second = eddy::create_task(body(2));
  co_await settle();
  queue.put_nowait(7);
  first.cancel();  // woken for the item, and cancelled before it ran
  co_await settle();
  EXPECT_TRUE(first.cancelled());
  EXPECT_EQ(log.str(), "2 got 7");
}

// 2.2 item 26
ASYNC_TEST(Queues, SYNC_10_ACancelledPutAddsNothing) {
  eddy::Queue<int> queue(1);
  queue.put_nowait(0);
  auto body = [&](int item) -> Coro<> { co_await queue.put(item); };
  auto first = eddy::create_task(body(1));
  auto second = eddy::create_task(body(2));
  co_await settle();
  EXPECT_EQ(queue.get_nowait(), 0);
  first.cancel();
  co_await settle();
  EXPECT_TRUE(first.cancelled() && second.done());
  EXPECT_EQ(queue.get_nowait(), 2);
  EXPECT_TRUE(queue.empty());
}

ASYNC_TEST(Queues, SYNC_14_ServeTheirReceiversInTurn) {
  eddy::Queue<int> queue;
  Log log;
  auto body = [&](char name) -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      const int item = co_await queue.get();
      log(name, item);
    }
  };
  auto a = eddy::create_task(body('a'));
  auto b = eddy::create_task(body('b'));
  co_await settle();
  for (int i = 0; i < 6; ++i) {
    queue.put_nowait(i);
    co_await eddy::sleep(1ms);
  }
  EXPECT_EQ(log.str(), "a 0, b 1, a 2, b 3, a 4, b 5");
}

ASYNC_TEST(Queues, SYNC_11_JoinWaitsForEachTaskDone) {
  eddy::Queue<int> queue;
  co_await queue.join();
  for (int i = 0; i < 3; ++i) queue.put_nowait(i);
  auto worker = [&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      co_await queue.get();
      co_await eddy::sleep(1s);
      queue.task_done();
    }
  };
  auto task = eddy::create_task(worker());
  co_await queue.join();
  EXPECT_EQ(now(), 3s);
  co_await task;
  EXPECT_EQ(TEXT_OF(eddy::ValueError, queue.task_done()), "task_done() was called more often than items were put");
}

ASYNC_TEST(Queues, SYNC_12_ShutDownGiveWhatIsLeftThenThrow) {
  eddy::Queue<int> queue;
  queue.put_nowait(1);
  queue.shutdown();
  EXPECT_EQ(TEXT_OF(eddy::QueueShutDown, queue.put_nowait(2)), "the queue was shut down");
  co_await error_of<eddy::QueueShutDown>(queue.put(2));
  EXPECT_EQ(co_await queue.get(), 1);
  co_await error_of<eddy::QueueShutDown>(queue.get());
  EXPECT_THROW(queue.get_nowait(), eddy::QueueShutDown);
}

ASYNC_TEST(Queues, SYNC_12_ShutDownWakeWhoWaits) {
  eddy::Queue<int> empty, full(1);
  full.put_nowait(1);
  auto get = [&]() -> Coro<> { co_await empty.get(); };
  auto put = [&]() -> Coro<> { co_await full.put(2); };
  auto a = eddy::create_task(get());
  auto b = eddy::create_task(put());
  co_await settle();
  empty.shutdown();
  full.shutdown();
  co_await error_of<eddy::QueueShutDown>(a);
  co_await error_of<eddy::QueueShutDown>(b);
}

ASYNC_TEST(Queues, ShutDownAtOnceDropWhatIsLeftAndEndJoin) {
  eddy::Queue<std::shared_ptr<int>> queue;
  auto token = std::make_shared<int>();
  queue.put_nowait(token);
  queue.put_nowait(token);
  auto wait = [&]() -> Coro<> { co_await queue.join(); };
  auto joined = eddy::create_task(wait());
  co_await settle();
  queue.shutdown(true);
  co_await joined;
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(queue.qsize(), 0u);
}

ASYNC_TEST(Queues, CarryItemsThatCannotBeCopied) {
  eddy::Queue<std::unique_ptr<int>> queue(1);
  auto body = [&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) co_await queue.put(std::make_unique<int>(i));
  };
  auto task = eddy::create_task(body());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*co_await queue.get(), i);
}

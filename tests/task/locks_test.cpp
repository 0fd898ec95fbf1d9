// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <deque>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

ASYNC_TEST(Locks, SYNC_01_ExcludeInOrderOfArrival) {
  eddy::Lock lock;
  Log log;
  auto body = [&](int id) -> Coro<> {
    auto held = co_await lock;
    log(id, "at", now());
    co_await eddy::sleep(1s);
  };
  co_await eddy::gather(body(1), body(2), body(3));
  EXPECT_EQ(log.str(), "1 at 0s, 2 at 1s, 3 at 2s");
  EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Locks, SYNC_01_ReleasedTwiceThrow) {
  eddy::Lock lock;
  const std::string text = "the lock is not held; release() it once for each acquire()";
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, lock.release()), text);
  auto held = co_await lock;
  held.release();
  held.release();  // a guard gives back once
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, lock.release()), text);
}

// 2.2 item 23
ASYNC_TEST(Locks, SYNC_03_CannotBeTakenPastAWaiter) {
  eddy::Lock lock;
  Log log;
  auto other = [&]() -> Coro<> {
    auto held = co_await lock;
    log("other");
  };
  co_await lock.acquire();
  auto task = eddy::create_task(other());
  co_await settle();
  lock.release();
  co_await lock.acquire();
  log("releaser");
  lock.release();
  EXPECT_EQ(log.str(), "other, releaser");
}

// 2.2 item 23
ASYNC_TEST(Locks, SYNC_02_PassTheTurnOfACancelledWaiterOn) {
  eddy::Lock lock;
  Log log;
  auto body = [&](int id) -> Coro<> {
    auto held = co_await lock;
    log(id);
  };
  co_await lock.acquire();
  auto first = eddy::create_task(body(1));
  auto second = eddy::create_task(body(2));
  co_await settle();
  lock.release();
  first.cancel();  // woken, and cancelled before it ran
  co_await settle();
  EXPECT_TRUE(first.cancelled());
  EXPECT_EQ(log.str(), "2");
  EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Locks, SYNC_16_AreReleasedByUnwinding) {
  eddy::Lock lock;
  auto body = [&]() -> Coro<> {
    auto held = co_await lock;
    throw std::runtime_error("unwinds");
  };
  co_await error_of<std::runtime_error>(body());
  EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Events, SYNC_04_WakeAllAndLetLaterOnesThrough) {
  eddy::Event event;
  Log log;
  auto body = [&](int id) -> Coro<> {
    co_await event.wait();
    log(id);
  };
  auto a = eddy::create_task(body(1));
  auto b = eddy::create_task(body(2));
  co_await settle();
  event.set();
  event.clear();  // not lost by it
  EXPECT_EQ(log.str(), "");
  co_await settle();
  EXPECT_EQ(log.str(), "1, 2");
  auto late = eddy::create_task(body(3));
  co_await settle();
  EXPECT_FALSE(late.done());
  event.set();
  co_await late;
  co_await event.wait();
}

// 2.2 item 24
ASYNC_TEST(Semaphores, SYNC_07_AreFifoAndNeverBelowZero) {
  eddy::Semaphore semaphore(2);
  Log log;
  int inside = 0, most = 0;
  auto body = [&](int id) -> Coro<> {
    auto slot = co_await semaphore;
    log(id);
    most = std::max(most, ++inside);
    co_await eddy::sleep(1s);
    --inside;
  };
  co_await eddy::gather(body(1), body(2), body(3), body(4), body(5));
  EXPECT_EQ(log.str(), "1, 2, 3, 4, 5");
  EXPECT_EQ(most, 2);
  EXPECT_EQ(now(), 3s);
}

// 2.2 item 24
ASYNC_TEST(Semaphores, SYNC_07_GiveTheSlotOfACancelledWaiterOn) {
  eddy::Semaphore semaphore(0);
  auto body = [&]() -> Coro<> { co_await semaphore.acquire(); };
  auto first = eddy::create_task(body());
  auto second = eddy::create_task(body());
  co_await settle();
  semaphore.release();
  first.cancel();
  co_await settle();
  EXPECT_TRUE(first.cancelled() && second.done());
  EXPECT_FALSE(second.cancelled());
  EXPECT_TRUE(semaphore.locked());
}

ASYNC_TEST(Semaphores, SYNC_07_RefuseBadValuesAndBoundedOnesOverRelease) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::Semaphore(-1)), "a semaphore's initial value is -1: it must be 0 or more");
  eddy::BoundedSemaphore bounded(2);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, bounded.release()),
            "the semaphore was released more often than it was acquired: its value is 2 already");
  co_await bounded.acquire();
  bounded.release();
}

ASYNC_TEST(Conditions, SYNC_05_NotifyWakesInOrder) {
  eddy::Condition condition;
  Log log;
  auto body = [&](int id) -> Coro<> {
    auto held = co_await condition;
    co_await condition.wait();
    log(id);
  };
  auto all = std::vector{eddy::create_task(body(1)), eddy::create_task(body(2)), eddy::create_task(body(3))};
  co_await settle();
  {
    auto held = co_await condition;
    condition.notify(2);
  }
  co_await settle();
  EXPECT_EQ(log.str(), "1, 2");
  {
    auto held = co_await condition;
    condition.notify_all();
  }
  co_await settle();
  EXPECT_EQ(log.str(), "1, 2, 3");
}

ASYNC_TEST(Conditions, SYNC_05_WithoutTheLockThrow) {
  eddy::Condition condition;
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, condition.notify()),
            "condition.notify: the lock is not held; auto held = co_await condition; comes first");
  EXPECT_STREQ((co_await error_of<eddy::RuntimeError>(condition.wait())).what(),
               "condition.wait: the lock is not held; auto held = co_await condition; comes first");
}

// 2.2 item 25
ASYNC_TEST(Conditions, SYNC_05_TakeTheLockAgainEvenWhenCancelled) {
  eddy::Lock lock;
  eddy::Condition condition(lock);
  Log log;
  auto body = [&]() -> Coro<> {
    auto held = co_await condition;
    try {
      co_await condition.wait();
    } catch (const CancelledError& error) {
      log("locked", lock.locked(), error.message(), "at", now());
      throw;
    }
  };
  auto task = eddy::create_task(body());
  co_await settle();
  co_await lock.acquire();
  task.cancel("first");
  co_await eddy::sleep(1s);
  task.cancel("again");
  co_await eddy::sleep(1s);
  EXPECT_FALSE(task.done());
  lock.release();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "locked 1 again at 2s");
  EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Conditions, SYNC_06_PassTheNotificationOfACancelledWaiterOn) {
  eddy::Condition condition;
  auto body = [&]() -> Coro<> {
    auto held = co_await condition;
    co_await condition.wait();
  };
  auto first = eddy::create_task(body());
  auto second = eddy::create_task(body());
  co_await settle();
  {
    auto held = co_await condition;
    condition.notify();
    first.cancel();
  }
  co_await settle();
  EXPECT_TRUE(first.cancelled() && second.done());
  EXPECT_FALSE(second.cancelled());
}

ASYNC_TEST(Conditions, WaitForAPredicate) {
  eddy::Condition condition;
  int goods = 0;
  auto producer = [&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      co_await eddy::sleep(1s);
      auto held = co_await condition;
      ++goods;
      condition.notify_all();
    }
  };
  auto task = eddy::create_task(producer());
  auto held = co_await condition;
  co_await condition.wait_for([&] { return goods == 3; });
  EXPECT_EQ(now(), 3s);
}

TEST(LocksOfAClosedLoop, LOOP_16_LetTheGuardsOfTheirWaitersDie) {
  eddy::Condition condition;
  eddy::Barrier barrier(3);
  {
    eddy::EventLoop loop;
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto wait = [&]() -> Coro<> {
      auto held = co_await condition;
      co_await condition.wait();
    };
    auto meet = [&]() -> Coro<> { co_await barrier.wait(); };
    for (int i = 0; i < 2; ++i) {
      loop.create_task(wait());
      loop.create_task(meet());
    }
    loop.run_until_complete(eddy::sleep(1ms));
  }
  SUCCEED();
}

ASYNC_TEST(Barriers, SYNC_08_ReleaseAtNAndAreReusable) {
  eddy::Barrier barrier(3);
  Log log;
  auto body = [&](int id) -> Coro<> {
    for (int round = 0; round < 2; ++round) {
      co_await eddy::sleep(id * 1s);
      const auto place = co_await barrier.wait();
      log(id, "as", place, "at", now());
    }
  };
  co_await eddy::gather(body(1), body(2), body(3));
  EXPECT_EQ(log.str(),
            "3 as 2 at 3s, 1 as 0 at 3s, 2 as 1 at 3s, 3 as 2 at 6s, 1 as 0 at 6s, 2 as 1 at 6s");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::Barrier(0)), "a barrier needs at least one party");
}

ASYNC_TEST(Barriers, SYNC_08_ResetAndAbortWakeTheWaitersWithAnError) {
  eddy::Barrier barrier(2);
  std::string text;
  auto body = [&]() -> Coro<> {
    try {
      co_await barrier.wait();
    } catch (const eddy::BrokenBarrierError& error) {
      text = error.what();
    }
  };
  auto reset = eddy::create_task(body());
  co_await settle();
  EXPECT_EQ(barrier.n_waiting(), 1u);
  co_await barrier.reset();
  co_await reset;
  EXPECT_EQ(text, "the barrier was aborted or reset while a task waited at it");
  EXPECT_FALSE(barrier.broken());
  auto aborted = eddy::create_task(body());
  co_await settle();
  co_await barrier.abort();
  co_await aborted;
  EXPECT_EQ(text, "the barrier was aborted or reset while a task waited at it");
  EXPECT_TRUE(barrier.broken());
  co_await body();
  EXPECT_EQ(text, "the barrier was aborted");
  co_await barrier.reset();
  EXPECT_FALSE(barrier.broken());
}

// 2.2 item 27
ASYNC_TEST(Barriers, ForgetAWaiterThatIsCancelled) {
  eddy::Barrier barrier(2);
  auto body = [&]() -> Coro<> { co_await barrier.wait(); };
  auto gone = eddy::create_task(body());
  co_await settle();
  gone.cancel();
  co_await settle();
  EXPECT_EQ(barrier.n_waiting(), 0u);
  co_await eddy::gather(body(), body());
}

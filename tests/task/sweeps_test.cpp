// SPDX-License-Identifier: MIT
// One scenario a primitive and a composite, each rerun with a cancellation at every place where one can come, and
// with every await failing in turn.
#include <eddy/eddy.hpp>

#include <atomic>

#include "support.hpp"

using eddy::TaskGroup;
using eddy::testing::cancel_everywhere;
using eddy::testing::fail_everywhere;
using eddy::testing::Log;
using eddy::testing::settle;

namespace {

// An error of a type that nothing in eddy knows.
struct Failure {};

void sweep(const std::function<Coro<>()>& scenario, std::size_t least, eddy::testing::SweepOptions options = {}) {
  EXPECT_GE(cancel_everywhere(scenario, options), least);
  EXPECT_GE(fail_everywhere(scenario, Failure(), options), least / 2);
}

Coro<int> give(int value, eddy::Duration after) {
  co_await eddy::sleep(after);
  co_return value;
}

}  // namespace

TEST(Sweeps, InALockedQueue) {
  sweep([]() -> Coro<> {
    eddy::Lock lock;
    eddy::Queue<int> queue(1);
    auto producer = [&]() -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        auto held = co_await lock;
        co_await queue.put(i);
        co_await eddy::sleep(1ms);
      }
    };
    auto consumer = [&]() -> Coro<> {
      for (int i = 0; i < 3; ++i) co_await queue.get();
    };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(producer());
      group.create_task(consumer());
      co_await eddy::timeout(10s, eddy::sleep(2ms));
    });
  }, 4);
}

TEST(Sweeps, InLocksAndSemaphores) {
  sweep([]() -> Coro<> {
    eddy::Lock lock;
    eddy::Semaphore semaphore(1);
    auto body = [&]() -> Coro<> {
      for (int i = 0; i < 2; ++i) {
        auto held = co_await lock;
        auto slot = co_await semaphore;
        co_await eddy::sleep(1s);
      }
    };
    std::exception_ptr error;
    try {
      co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
        for (int i = 0; i < 3; ++i) group.create_task(body());
        co_return;
      });
    } catch (...) {
      error = std::current_exception();
    }
    EXPECT_FALSE(lock.locked() || semaphore.locked());
    if (error) std::rethrow_exception(error);
  }, 4);
}

TEST(Sweeps, InAConditionTheLockIsHeldOrFree) {
  sweep([]() -> Coro<> {
    eddy::Condition condition;
    bool ready = false;
    auto setter = [&]() -> Coro<> {
      co_await eddy::sleep(1s);
      auto held = co_await condition;
      ready = true;
      condition.notify_all();
    };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(setter());
      auto held = co_await condition;
      co_await condition.wait_for([&] {
        EXPECT_TRUE(condition.locked());
        return ready;
      });
    });
  }, 4);
}

TEST(Sweeps, InABarrier) {
  sweep([]() -> Coro<> {
    eddy::Barrier barrier(2);
    auto body = [&]() -> Coro<> { co_await barrier.wait(); };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(body());
      co_await eddy::sleep(1s);
      co_await barrier.wait();
    });
  }, 4);
}

TEST(Sweeps, InAnEventAndAFuture) {
  sweep([]() -> Coro<> {
    auto event = std::make_shared<eddy::Event>();
    auto future = eddy::get_running_loop().create_future<int>();
    auto setter = [](std::shared_ptr<eddy::Event> e, eddy::Future<int> f) -> Coro<> {
      co_await eddy::sleep(1s);
      e->set();
      co_await eddy::sleep(1s);
      if (!f.done()) f.set_result(1);
    };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(setter(event, future));
      co_await event->wait();
      co_await future;
    });
  }, 4);
}

TEST(Sweeps, InGatherAndNestedTasks) {
  sweep([]() -> Coro<> {
    auto [a, b] = co_await eddy::gather(give(1, 1s), give(2, 2s));
    co_await eddy::gather(eddy::return_exceptions, give(a, 1s), eddy::create_task(give(b, 3s)));
    std::vector<Coro<int>> many;
    for (int i = 0; i < 3; ++i) many.push_back(give(i, i * 1s));
    co_await eddy::gather(std::move(many));
  }, 6, {.cancel_rest = true});  // a gather that fails lets the others go on
}

TEST(Sweeps, InWaitAndAsCompletedThatOwnTheirTasks) {
  sweep([]() -> Coro<> {
    auto tasks = std::vector{eddy::create_task(give(1, 1s)), eddy::create_task(give(2, 2s))};
    std::exception_ptr error;
    try {
      co_await eddy::wait(tasks, {.timeout = 500ms, .return_when = eddy::FIRST_COMPLETED});
      auto completed = eddy::as_completed(tasks, 10s);
      co_await completed.next();
      co_await completed.next();
    } catch (...) {
      error = std::current_exception();
    }
    for (auto& task : tasks) task.cancel();
    co_await eddy::gather(eddy::return_exceptions, tasks[0], tasks[1]);
    if (error) std::rethrow_exception(error);
  }, 6);
}

TEST(Sweeps, InTimeoutsAndWaitFor) {
  sweep([]() -> Coro<> {
    auto body = [](eddy::Timeout& scope) -> Coro<> {
      co_await eddy::sleep(1s);
      scope.reschedule(eddy::get_running_loop().time() + 5s);
      co_await eddy::wait_for(eddy::sleep(1s), 3s);
    };
    co_await eddy::timeout(2s, body);
    try {
      co_await eddy::timeout(1s, eddy::sleep(5s));
    } catch (const eddy::TimeoutError&) {
    }
    try {
      co_await eddy::wait_for(give(1, 1s), 0s);
    } catch (const eddy::TimeoutError&) {
    }
  }, 6);
}

TEST(Sweeps, InShield) {
  sweep([]() -> Coro<> {
    auto inner = eddy::create_task(give(1, 1s));
    std::exception_ptr error;
    try {
      co_await eddy::shield(inner);
    } catch (...) {
      error = std::current_exception();
    }
    inner.cancel();
    co_await eddy::gather(eddy::return_exceptions, inner);
    if (error) std::rethrow_exception(error);
  }, 3);
}

TEST(Sweeps, InNestedTaskGroupsThatFail) {
  sweep([]() -> Coro<> {
    auto fail = []() -> Coro<> {
      co_await eddy::sleep(1s);
      throw std::runtime_error("child");
    };
    try {
      co_await eddy::task_group([&](TaskGroup& outer) -> Coro<> {
        outer.create_task(give(1, 5s));
        co_await eddy::task_group([&](TaskGroup& inner) -> Coro<> {
          inner.create_task(fail());
          inner.create_task(give(2, 3s));
          co_return;
        });
      });
    } catch (const eddy::ExceptionGroup&) {
    }
  }, 4);
}

TEST(Sweeps, InStreams) {
  sweep([]() -> Coro<> {
    auto pair = eddy::testing::stream_pair({.room = 4, .piece = 3});
    auto writer = [](eddy::Streams end) -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        end.writer.write("line\n");
        co_await end.writer.drain();
      }
      end.writer.close();
      co_await end.writer.wait_closed();
    };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(writer(std::move(pair.near)));
      auto far = std::move(pair.far);
      for (;;) {
        auto line = co_await far.reader.next();
        if (!line) break;
      }
    });
  }, 4);
}

TEST(Sweeps, InABoundedSemaphoreWithWaitersOfEachKind) {
  sweep([]() -> Coro<> {
    eddy::BoundedSemaphore slots(2);
    auto work = [&](int length) -> Coro<> {
      auto slot = co_await slots;
      co_await eddy::sleep(length * 1s);
    };
    auto impatient = [&]() -> Coro<> { co_await eddy::timeout(1s, work(1)); };
    co_await eddy::gather(eddy::return_exceptions, work(2), work(3), impatient(), work(1), impatient());
    EXPECT_FALSE(slots.locked());
  }, 5);
}

TEST(Sweeps, InQueuesThatAreJoinedAndShutDown) {
  sweep([]() -> Coro<> {
    eddy::PriorityQueue<int> queue(2);
    auto consume = [&]() -> Coro<> {
      for (;;) {
        std::exception_ptr error;
        try {
          co_await queue.get();
        } catch (const eddy::QueueShutDown&) {
          co_return;
        }
        co_await eddy::sleep(1s);
        queue.task_done();
      }
    };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(consume());
      group.create_task(consume());
      for (int i = 0; i < 5; ++i) co_await queue.put(5 - i);
      co_await queue.join();
      queue.shutdown();
    });
  }, 10);
}

TEST(Sweeps, InANotificationOfSeveralWaiters) {
  sweep([]() -> Coro<> {
    eddy::Condition condition;
    int goods = 0;
    auto consume = [&]() -> Coro<> {
      auto held = co_await condition;
      co_await condition.wait_for([&] { return goods > 0; });
      --goods;
    };
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      for (int i = 0; i < 3; ++i) group.create_task(consume());
      co_await eddy::sleep(1s);
      for (int i = 0; i < 3; ++i) {
        auto held = co_await condition;
        ++goods;
        condition.notify();
      }
    });
    EXPECT_FALSE(condition.locked());
  }, 4);
}

TEST(Sweeps, InWaitUntilTheFirstException) {
  sweep([]() -> Coro<> {
    auto fail = []() -> Coro<int> {
      co_await eddy::sleep(2s);
      throw eddy::ValueError("child");
    };
    std::vector<Task<int>> tasks;
    tasks.push_back(eddy::create_task(give(1, 1s)));
    tasks.push_back(eddy::create_task(fail()));
    tasks.push_back(eddy::create_task(give(3, 3s)));
    std::exception_ptr error;
    try {
      co_await eddy::wait(tasks, {.return_when = eddy::FIRST_EXCEPTION});
      EXPECT_LE(eddy::testing::now(), 2s);
    } catch (...) {
      error = std::current_exception();
    }
    for (auto& task : tasks) task.cancel();
    co_await eddy::gather(eddy::return_exceptions, std::move(tasks));
    if (error) std::rethrow_exception(error);
  }, 4);
}

TEST(Sweeps, InAThread) {
  sweep([]() -> Coro<> {
    std::atomic<int> ran = 0;
    auto job = [&] { return ++ran; };
    auto in_thread = [&]() -> Coro<> { co_await eddy::to_thread(job); };
    co_await eddy::to_thread(job);
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(in_thread());
      group.create_task(in_thread());
      co_return;
    });
    EXPECT_EQ(ran, 3);
  }, 4);
}

namespace {

// Two wait, and there is one to be had, which whoever got it gives on. Disturb one of them when it has been woken for it:
// if that is lost, the other one waits for ever.
template <class Wait, class Give>
Coro<> hand_over(Wait wait, Give give) {
  auto second = [&]() -> Coro<> {
    co_await eddy::sleep(1s);
    co_await wait();
  };
  auto other = eddy::create_task(second());
  eddy::get_running_loop().call_later(2s, [&] { eddy::create_task(give()); });
  std::exception_ptr error;
  try {
    co_await wait();
    co_await give();
  } catch (...) {
    error = std::current_exception();
  }
  try {
    co_await other;
  } catch (...) {
    if (!error) error = std::current_exception();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace

TEST(Sweeps, ALockThatIsNotTakenGoesToTheNext) {
  sweep([]() -> Coro<> {
    eddy::Lock lock;
    co_await lock.acquire();
    auto wait = [&]() -> Coro<> { co_await lock.acquire(); };
    auto give = [&]() -> Coro<> {
      lock.release();
      co_return;
    };
    co_await hand_over(wait, give);
  }, 6);
}

// cpython#90155
TEST(Sweeps, ASlotThatIsNotTakenGoesToTheNext) {
  sweep([]() -> Coro<> {
    eddy::Semaphore slots(0);
    auto wait = [&]() -> Coro<> { co_await slots.acquire(); };
    auto give = [&]() -> Coro<> {
      slots.release();
      co_return;
    };
    co_await hand_over(wait, give);
  }, 6);
}

TEST(Sweeps, AnItemThatIsNotTakenGoesToTheNext) {
  sweep([]() -> Coro<> {
    eddy::Queue<int> queue;
    auto wait = [&]() -> Coro<> { co_await queue.get(); };
    auto give = [&]() -> Coro<> {
      queue.put_nowait(1);
      co_return;
    };
    co_await hand_over(wait, give);
  }, 6);
}

TEST(Sweeps, RoomThatIsNotTakenGoesToTheNext) {
  sweep([]() -> Coro<> {
    eddy::Queue<int> queue(1);
    queue.put_nowait(0);
    auto wait = [&]() -> Coro<> { co_await queue.put(1); };
    auto give = [&]() -> Coro<> {
      queue.get_nowait();
      co_return;
    };
    co_await hand_over(wait, give);
  }, 6);
}

// cpython#112202
TEST(Sweeps, ANotificationThatIsNotTakenGoesToTheNext) {
  sweep([]() -> Coro<> {
    eddy::Condition condition;
    auto wait = [&]() -> Coro<> {
      auto held = co_await condition;
      co_await condition.wait();
    };
    auto give = [&]() -> Coro<> {
      auto held = co_await condition;
      condition.notify();
    };
    co_await hand_over(wait, give);
  }, 6);
}

// cpython#86296
TEST(Sweeps, ATimeoutDoesNotHideACancellation) {
  sweep([]() -> Coro<> {
    try {
      co_await eddy::wait_for(give(1, 2s), 1s);
    } catch (const eddy::TimeoutError&) {
      EXPECT_EQ(eddy::current_task().cancelling(), 0);
    }
  }, 3);
}

// cpython#26923
TEST(Sweeps, AGatherThatIsCancelledWaitsForItsChildren) {
  auto scenario = []() -> Coro<> {
    int running = 0;
    auto child = [&]() -> Coro<> {
      ++running;
      bool cancelled = false;
      try {
        co_await eddy::sleep(1s);
      } catch (const eddy::CancelledError&) {
        cancelled = true;
      }
      if (cancelled) co_await eddy::sleep(1s);  // cleaning up takes its time
      --running;
    };
    auto first = eddy::create_task(child()), second = eddy::create_task(child());
    std::exception_ptr error;
    try {
      while (running < 2) co_await eddy::sleep(0s);  // both have begun when the gather is cancelled
    } catch (...) {
      first.cancel(), second.cancel();
      error = std::current_exception();
    }
    try {
      co_await eddy::gather(eddy::return_exceptions, first, second);
    } catch (...) {
      error = std::current_exception();
    }
    EXPECT_EQ(running, 0);
    if (error) std::rethrow_exception(error);
  };
  EXPECT_GE(cancel_everywhere(scenario), 4u);
}

// cpython#116720
TEST(Sweeps, ATaskGroupThatFailsKeepsACancellationFromOutside) {
  auto scenario = []() -> Coro<> {
    auto fail = []() -> Coro<> {
      co_await eddy::sleep(1s);
      throw eddy::ValueError("child");
    };
    try {
      co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
        group.create_task(fail());
        group.create_task(fail());
        co_return;
      });
    } catch (const eddy::ExceptionGroup&) {
    }
    const bool was_cancelled = eddy::current_task().cancelling() > 0;
    co_await eddy::sleep(0s);
    EXPECT_FALSE(was_cancelled);  // then the await throws
  };
  EXPECT_GE(cancel_everywhere(scenario), 4u);
}

// A scenario that leaves something behind is told of.
TEST(Sweeps, SaysWhatWasLeftBehind) {
  auto abandons = []() -> Coro<> {
    auto task = eddy::create_task(eddy::sleep(1h), {.name = "left"});
    co_await eddy::shield(task);
  };
  const auto text = TEXT_OF(std::logic_error, cancel_everywhere(abandons));
  EXPECT_EQ(text.substr(0, text.find(" (")), "a cancellation after step 1 left behind:\n  task 'left'");
}

// A scenario that lets an error go unseen is told of.
TEST(Sweeps, SayWhichFailureWasLost) {
  auto forgets = []() -> Coro<> {
    eddy::create_task(eddy::sleep(1s), {.name = "forgotten"});
    co_await eddy::sleep(2s);
  };
  const auto text = TEXT_OF(std::logic_error, fail_everywhere(forgets, eddy::ValueError("broken")));
  EXPECT_EQ(text.substr(0, text.find(" (")), "a failure of await 1, at\n  task 'forgotten'");
  EXPECT_NE(text.find(" was lost: the exception of task 'forgotten'"), std::string::npos);
}

TEST(Sweeps, FailEachAwaitOfEachTaskOnce) {
  std::string failed;
  auto step = [&](char name) -> Coro<> {
    try {
      co_await eddy::sleep(1s);
    } catch (const Failure&) {
      failed += name;
    }
  };
  auto scenario = [&]() -> Coro<> {
    co_await step('a');
    co_await eddy::task_group([&](TaskGroup& group) -> Coro<> {
      group.create_task(step('b'));
      group.create_task(step('c'));
      co_return;
    });
    co_await step('d');
  };
  EXPECT_EQ(fail_everywhere(scenario, Failure()), 5u);  // and a run in which nothing fails
  EXPECT_EQ(failed, "abcd");
}

TEST(Sweeps, MayCancelWhatStillRunsAsRunDoes) {
  auto leaves = []() -> Coro<> {
    eddy::create_task(eddy::sleep(1h));
    co_await eddy::sleep(1s);
  };
  EXPECT_EQ(cancel_everywhere(leaves, {.cancel_rest = true}), 5u);
  EXPECT_THROW(cancel_everywhere(leaves), std::logic_error);
}

// --- Sequencer --------------------------------------------------------------------------------------

namespace {

Coro<> take_turns(eddy::testing::Sequencer& sequencer, eddy::testing::Log& log, std::vector<int> numbers) {
  for (int number : numbers) {
    auto turn = co_await sequencer(number);
    log("begins", number);
    co_await eddy::sleep(1s);
    log("ends", number);
  }
}

}  // namespace

ASYNC_TEST(Sequencers, BringTheStepsOfTasksIntoAnOrder) {
  eddy::testing::Sequencer sequencer;
  Log log;
  std::vector<int> odd(1, 1), even(2);
  even[1] = 2;
  co_await eddy::gather(take_turns(sequencer, log, odd), take_turns(sequencer, log, even));
  EXPECT_EQ(log, "begins 0, ends 0, begins 1, ends 1, begins 2, ends 2");
}

ASYNC_TEST(Sequencers, RefuseATurnThatWasTaken) {
  eddy::testing::Sequencer sequencer;
  auto first = co_await sequencer(0);
  const auto error = co_await eddy::testing::error_of<eddy::RuntimeError>(sequencer(0));
  EXPECT_STREQ(error.what(), "turn 0 of the sequencer was taken before");
}

ASYNC_TEST(Sequencers, BreakWhenATaskGivesUp) {
  eddy::testing::Sequencer sequencer;
  auto waiting = eddy::create_task(sequencer(1));
  auto later = eddy::create_task(sequencer(2));
  co_await settle();
  waiting.cancel();
  const auto error = co_await eddy::testing::error_of<eddy::RuntimeError>(std::move(later));
  EXPECT_STREQ(error.what(), "turn 2 cannot come: a task before it gave up");
  EXPECT_TRUE(waiting.cancelled());
}

ASYNC_TEST(Checkpoints, OfACoroutineThatPauses) {
  auto pauses = []() -> Coro<int> {
    co_await eddy::sleep(0s);
    co_return 3;
  };
  EXPECT_EQ(co_await eddy::testing::assert_checkpoints(pauses()), 3);
  const auto refused = co_await eddy::testing::error_of<std::logic_error>(eddy::testing::assert_no_checkpoints(pauses()));
  EXPECT_STREQ(refused.what(), "the coroutine let other tasks run: 1 steps were taken before its end");
}

ASYNC_TEST(Checkpoints, OfACoroutineThatDoesNot) {
  eddy::Lock lock;
  auto runs_through = [&]() -> Coro<> { co_await lock.acquire(); };
  co_await eddy::testing::assert_no_checkpoints(runs_through());
  lock.release();
  const auto refused = co_await eddy::testing::error_of<std::logic_error>(eddy::testing::assert_checkpoints(runs_through()));
  EXPECT_STREQ(refused.what(), "the coroutine ended without having let other tasks run");
}

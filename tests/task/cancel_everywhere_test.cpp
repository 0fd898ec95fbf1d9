// SPDX-License-Identifier: MIT
// One scenario a primitive and a composite, each rerun with a cancellation at every place one can come.
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::TaskGroup;
using eddy::testing::cancel_everywhere;

namespace {

// What is not a cancellation is let go: a sweep looks at what is left, not at what was thrown.
void sweep(const std::function<Coro<>()>& scenario, std::size_t least) {
  EXPECT_GE(cancel_everywhere(scenario), least);
}

Coro<int> give(int value, eddy::Duration after) {
  co_await eddy::sleep(after);
  co_return value;
}

}  // namespace

TEST(CancelEverywhere, InALockedQueue) {
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

TEST(CancelEverywhere, InLocksAndSemaphores) {
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
      co_await eddy::gather(body(), body(), body());
    } catch (...) {
      error = std::current_exception();
    }
    EXPECT_FALSE(lock.locked() || semaphore.locked());
    if (error) std::rethrow_exception(error);
  }, 4);
}

TEST(CancelEverywhere, InAConditionTheLockIsHeldOrFree) {
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

TEST(CancelEverywhere, InABarrier) {
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

TEST(CancelEverywhere, InAnEventAndAFuture) {
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

TEST(CancelEverywhere, InGatherAndNestedTasks) {
  sweep([]() -> Coro<> {
    auto [a, b] = co_await eddy::gather(give(1, 1s), give(2, 2s));
    co_await eddy::gather(eddy::return_exceptions, give(a, 1s), eddy::create_task(give(b, 3s)));
    std::vector<Coro<int>> many;
    for (int i = 0; i < 3; ++i) many.push_back(give(i, i * 1s));
    co_await eddy::gather(std::move(many));
  }, 6);
}

TEST(CancelEverywhere, InWaitAndAsCompletedThatOwnTheirTasks) {
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

TEST(CancelEverywhere, InTimeoutsAndWaitFor) {
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

TEST(CancelEverywhere, InShield) {
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

TEST(CancelEverywhere, InNestedTaskGroupsThatFail) {
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

TEST(CancelEverywhere, InStreams) {
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

// A scenario that leaves something behind is told of.
TEST(CancelEverywhere, SaysWhatWasLeftBehind) {
  auto abandons = []() -> Coro<> {
    auto task = eddy::create_task(eddy::sleep(1h), {.name = "left"});
    co_await eddy::shield(task);
  };
  const auto text = TEXT_OF(std::logic_error, cancel_everywhere(abandons));
  EXPECT_EQ(text.substr(0, text.find(" (")), "a cancellation after step 1 left behind:\n  task 'left'");
}

// SPDX-License-Identifier: MIT
// Every awaitable of the public API where users put it: in conditions, loops, as temporaries, with option
// aggregates, in structured bindings.
#include <eddy/eddy.hpp>

#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using eddy::testing::stream_pair;

Coro<std::string> text(std::string value) {
  co_await eddy::sleep(1ms);
  co_return value + ", long enough that it lives on the heap";
}
Coro<int> number(int value) {
  co_await eddy::sleep(1ms);
  co_return value;
}

}  // namespace

ASYNC_TEST(Api, TasksAndFuturesInConditionsAndLoops) {
  auto task = eddy::create_task(number(1), {.name = "one"});
  if (co_await task == 1) co_await task;
  int sum = 0;
  while (co_await number(1) + sum < 4) ++sum;
  for (int i = 0; i < co_await number(3); ++i) sum += co_await eddy::create_task(number(i));
  EXPECT_EQ(sum, 6);
  auto future = eddy::get_running_loop().create_future<std::string>();
  eddy::get_running_loop().call_later(1ms, [future] { future.set_result("set"); });
  if (const auto& value = co_await future; value == "set") sum = 0;
  EXPECT_EQ(sum, 0);
  EXPECT_EQ((co_await eddy::create_task(text("x"))).substr(0, 1), "x");
}

ASYNC_TEST(Api, CombinatorsInStructuredBindings) {
  auto [a, b] = co_await eddy::gather(text("a"), eddy::create_task(text("b")));
  EXPECT_EQ(a.substr(0, 1) + b.substr(0, 1), "ab");
  auto [c, d] = co_await eddy::gather(eddy::return_exceptions, number(1), text("d"));
  EXPECT_TRUE(c.value() == 1 && d.has_value());
  std::vector<Task<std::string>> tasks;
  tasks.push_back(eddy::create_task(text("e")));
  tasks.push_back(eddy::create_task(text("f")));
  auto [done, pending] = co_await eddy::wait(tasks, {.timeout = 1h, .return_when = eddy::ALL_COMPLETED});
  EXPECT_EQ(done.size() + 10 * pending.size(), 2u);
  auto completed = eddy::as_completed(std::move(done), 1h);
  int count = 0;
  while (auto task = co_await completed.next()) count += task->done();
  EXPECT_EQ(count, 2);
  if (co_await eddy::shield(number(5)) != 5) ADD_FAILURE();
}

ASYNC_TEST(Api, TimeoutsAroundEverything) {
  if (co_await eddy::timeout(1h, number(2)) != 2) ADD_FAILURE();
  if (co_await eddy::wait_for(text("x"), 1h) == "x") ADD_FAILURE();
  std::string kept = "a string on the heap that a closure keeps alive";
  auto body = [kept](eddy::Timeout& scope) -> Coro<std::string> {
    scope.reschedule(eddy::get_running_loop().time() + 2h);
    co_await eddy::sleep(1h);
    co_return kept;
  };
  EXPECT_EQ(co_await eddy::timeout(1s, body), kept);
  for (int i = 0; i < 3; ++i) {
    try {
      co_await eddy::timeout(1ms, eddy::sleep(1h));
      ADD_FAILURE();
    } catch (const eddy::TimeoutError&) {
    }
  }
  const auto at = co_await eddy::timeout_at(eddy::get_running_loop().time() + 1h, number(3));
  EXPECT_EQ(at, 3);
}

ASYNC_TEST(Api, LocksAsGuardsInEveryScope) {
  eddy::Lock lock;
  eddy::Semaphore semaphore(2);
  eddy::Condition condition;
  eddy::Event event;
  eddy::Barrier barrier(1);
  event.set();
  for (int i = 0; i < 2; ++i) {
    auto held = co_await lock;
    if (i == 0) {
      auto slot = co_await semaphore;
      co_await eddy::sleep(1ms);
      continue;
    }
    auto locked = co_await condition;
    co_await event.wait();
  }
  if (co_await barrier.wait() != 0) ADD_FAILURE();
  EXPECT_FALSE(lock.locked() || condition.locked());
}

ASYNC_TEST(Api, QueuesOfThingsThatOwn) {
  eddy::Queue<std::unique_ptr<std::string>> queue(1);
  auto producer = [&]() -> Coro<> {
    for (int i = 0; i < 3; ++i) co_await queue.put(std::make_unique<std::string>("an item that lives on the heap"));
    queue.shutdown();
  };
  auto task = eddy::create_task(producer());
  std::size_t total = 0;
  try {
    while (auto item = co_await queue.get()) total += item->size();
  } catch (const eddy::QueueShutDown&) {
  }
  EXPECT_EQ(total, 90u);
  co_await std::move(task);
}

ASYNC_TEST(Api, TaskGroupsWithCapturingBodies) {
  std::string owned = "captured by value, long enough for the heap";
  auto body = [owned](eddy::TaskGroup& group) -> Coro<std::string> {
    auto task = group.create_task([owned](int n) -> Coro<std::string> { co_return owned + std::to_string(n); }, 1);
    co_return co_await task;
  };
  auto result = co_await eddy::task_group(body);
  EXPECT_EQ(result, owned + "1");
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(number(1), {.name = "in the group"});
    co_return;
  });
}

ASYNC_TEST(Api, StreamsInConditionsAndLoops) {
  auto [near, far] = stream_pair({.room = 1024, .piece = 3});
  near.writer.write("first line\nsecond line\nrest of it");
  near.writer.write_eof();
  co_await near.writer.drain();
  if (co_await far.reader.readline() != "first line\n") ADD_FAILURE();
  auto line = co_await far.reader.next();
  EXPECT_EQ(line.value(), "second line\n");
  EXPECT_EQ(co_await far.reader.readexactly(4), "rest");
  while (co_await far.reader.more()) {
  }
  EXPECT_EQ(co_await far.reader.read(), " of it");
  far.writer.close();
  co_await far.writer.wait_closed();
}

BACKEND_TEST(Api, ThreadsServersAndConnections) {
  std::string owned = "moved to the thread, long enough for the heap";
  auto size = [owned](std::string more) { return owned.size() + more.size(); };
  if (co_await eddy::to_thread(size, std::string("x")) != owned.size() + 1) ADD_FAILURE();
  auto handler = [owned](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
    while (auto line = co_await reader.next()) writer.write(*line + owned);
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0, {.backlog = 10});
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port(), {.limit = 1024});
  writer.write("hello\n");
  writer.write_eof();
  EXPECT_EQ(co_await reader.read(), "hello\n" + owned);
  server.close();
  co_await server.wait_closed();
}

// SPDX-License-Identifier: MIT
// DBG-F: whatever a task can wait for, the wait says what it is and, where tasks can end it, which they are.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <eddy/eddy.hpp>
#include <functional>
#include <latch>

#include "base/unique_fd.hpp"
#include "inspect/snapshot.hpp"
#include "io/stream_core.hpp"
#include "support.hpp"

using eddy::testing::settle;

namespace {

std::string address(const void* object) { return fmt::format("{}", object); }

struct Wait {
  std::string text;   // what it waits for
  std::string edges;  // the tasks that it awaits: "a b"
};

Wait wait_of(const eddy::AnyTask& task) {
  const auto snapshot = eddy::detail::snapshot_of(task.core());
  EXPECT_EQ(std::string(snapshot.state), "waiting") << snapshot.name;
  EXPECT_NE(task.core().WaitNode::ops->kind, nullptr)
      << snapshot.name << ": a debugger cannot say what it waits for";
  Wait wait{snapshot.waits_for, ""};
  for (const auto* id : snapshot.awaits) {
    for (const auto& other : eddy::all_tasks()) {
      if (&other.core() == id) wait.edges += (wait.edges.empty() ? "" : " ") + std::string(other.name());
    }
  }
  return wait;
}

// Suspends a task on what `make` gives, looks, and cancels it.
template <class Make>
Coro<Wait> suspended_on(Make make) {
  auto body = [&]() -> Coro<> { static_cast<void>(co_await make()); };
  auto task = eddy::create_task(body(), {.name = "waiter"});
  co_await settle();
  const auto wait = wait_of(task);
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.done());
  co_return wait;
}
template <class Make>
Coro<Wait> suspended_on_void(Make make) {
  auto body = [&]() -> Coro<> { co_await make(); };
  auto task = eddy::create_task(body(), {.name = "waiter"});
  co_await settle();
  const auto wait = wait_of(task);
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.done());
  co_return wait;
}

Coro<int> nap() {
  co_await eddy::sleep(1h);
  co_return 1;
}

}  // namespace

ASYNC_TEST(Edges, OfSleep) {
  const auto wait = co_await suspended_on_void([] { return eddy::sleep(90s); });
  EXPECT_EQ(wait.text, "sleep, 90s left");
  EXPECT_EQ(wait.edges, "");
}

ASYNC_TEST(Edges, OfLocksAndTheirLike) {
  eddy::Event event;
  auto wait = co_await suspended_on_void([&] { return event.wait(); });
  EXPECT_EQ(wait.text, "event " + address(&event));

  eddy::Semaphore semaphore(0);
  wait = co_await suspended_on_void([&] { return semaphore.acquire(); });
  EXPECT_EQ(wait.text, "semaphore " + address(&semaphore));

  eddy::Condition condition;
  auto on_condition = [&]() -> Coro<> {
    auto held = co_await condition;
    co_await condition.wait();
  };
  wait = co_await suspended_on_void(on_condition);
  EXPECT_EQ(wait.text, "condition " + address(&condition));

  eddy::Barrier barrier(3);
  wait = co_await suspended_on([&] { return barrier.wait(); });
  EXPECT_EQ(wait.text, "barrier " + address(&barrier) + ", 1 of 3 are there");
}

ASYNC_TEST(Edges, OfALockNameItsOwner) {
  eddy::Lock lock;
  auto hold = [&]() -> Coro<> {
    auto held = co_await lock;
    co_await eddy::sleep(1h);
  };
  const int made = __LINE__ + 1;
  auto owner = eddy::create_task(hold(), {.name = "owner"});
  co_await settle();
  const auto wait = co_await suspended_on_void([&] { return lock.acquire(); });
  EXPECT_EQ(wait.text, fmt::format("lock {}, held by task 'owner' (operator(), made at edges_test.cpp:{})",
                                   fmt::ptr(&lock), made));
  EXPECT_EQ(wait.edges, "");
  owner.cancel();
  co_await settle();
}

ASYNC_TEST(Edges, OfQueues) {
  eddy::Queue<int> empty, full(1);
  full.put_nowait(1);
  auto wait = co_await suspended_on([&] { return empty.get(); });
  EXPECT_EQ(wait.text, "an item of queue " + address(static_cast<const eddy::detail::QueueBase*>(&empty)));
  wait = co_await suspended_on_void([&] { return full.put(2); });
  EXPECT_EQ(wait.text,
            "room in queue " + address(static_cast<const eddy::detail::QueueBase*>(&full)) + " of 1 items");
  wait = co_await suspended_on_void([&] { return full.join(); });
  EXPECT_EQ(wait.text, "the items of a queue to be done");
}

ASYNC_TEST(Edges, OfFuturesAndTasks) {
  auto future = eddy::get_running_loop().create_future<int>();
  auto wait = co_await suspended_on([&]() -> auto& { return future; });
  EXPECT_EQ(wait.text, "a future");
  EXPECT_EQ(wait.edges, "");

  const int made = __LINE__ + 1;
  auto task = eddy::create_task(nap(), {.name = "nap"});
  auto shielded = [&]() -> Coro<int> { co_return co_await eddy::shield(task); };
  wait = co_await suspended_on(shielded);
  EXPECT_EQ(wait.text, "a shielded future");
  EXPECT_EQ(wait.edges, "nap");
  wait = co_await suspended_on([&]() -> auto& { return task; });  // which cancels it
  EXPECT_EQ(wait.text, fmt::format("task 'nap' (nap, made at edges_test.cpp:{})", made));
  EXPECT_EQ(wait.edges, "nap");
}

ASYNC_TEST(Edges, OfGatherInEachForm) {
  auto a = eddy::create_task(nap(), {.name = "a"});
  auto b = eddy::create_task(nap(), {.name = "b"});
  auto few = [&]() -> Coro<> { static_cast<void>(co_await eddy::gather(eddy::shield(a), eddy::shield(b))); };
  auto wait = co_await suspended_on_void(few);
  EXPECT_EQ(wait.text, "2 of 2 futures");
  auto two = [&]() -> Coro<> { static_cast<void>(co_await eddy::gather(eddy::return_exceptions, a, b)); };
  wait = co_await suspended_on_void(two);
  EXPECT_EQ(wait.text, "2 of 2 futures");
  EXPECT_EQ(wait.edges, "a b");

  a = eddy::create_task(nap(), {.name = "a"});
  auto done = eddy::create_task(eddy::sleep(0s), {.name = "done"});
  co_await done;
  std::vector<Task<int>> many{a, eddy::create_task(nap(), {.name = "c"})};
  auto all = [&]() -> Coro<> { static_cast<void>(co_await eddy::gather(many)); };
  wait = co_await suspended_on_void(all);
  EXPECT_EQ(wait.edges, "a c");
}

ASYNC_TEST(Edges, OfWaitShowThoseThatAreLeft) {
  auto soon = eddy::create_task(eddy::sleep(1s), {.name = "soon"});
  auto late = eddy::create_task(eddy::sleep(1h), {.name = "late"});
  std::vector<Task<>> both{soon, late};
  auto waits = [&]() -> Coro<> { static_cast<void>(co_await eddy::wait(both, {.timeout = 2h})); };
  auto task = eddy::create_task(waits());
  co_await settle();
  EXPECT_EQ(wait_of(task).edges, "soon late");
  co_await eddy::sleep(2s);
  EXPECT_EQ(wait_of(task).text, "1 of 2 futures");
  EXPECT_EQ(wait_of(task).edges, "late");
  late.cancel();
  co_await task;
}

ASYNC_TEST(Edges, OfTimeoutsAreThoseOfWhatTheyLimit) {
  auto task = eddy::create_task(nap(), {.name = "nap"});
  auto limited = [&]() -> Coro<int> { co_return co_await eddy::wait_for(eddy::shield(task), 2h); };
  auto wait = co_await suspended_on(limited);
  EXPECT_EQ(wait.edges, "nap");
  auto scope = [&]() -> Coro<> { co_await eddy::timeout(2h, eddy::sleep(1h)); };
  wait = co_await suspended_on_void(scope);
  EXPECT_EQ(wait.text, "sleep, 3600s left");
  task.cancel();
  co_await settle();
}

// python/cpython#156523: wait_for(0) cancels what is not done, and waits for its end.
ASYNC_TEST(Edges, OfWaitForWithNoTime) {
  eddy::Event released;
  auto stubborn = [&]() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const eddy::CancelledError&) {
    }
    co_await released.wait();
  };
  auto inner = eddy::create_task(stubborn(), {.name = "stubborn"});
  co_await settle();
  auto at_once = [&]() -> Coro<> { co_await eddy::wait_for(inner, 0s); };
  auto task = eddy::create_task(at_once());
  co_await settle();
  EXPECT_EQ(wait_of(task).text, "1 of 1 futures");
  EXPECT_EQ(wait_of(task).edges, "stubborn");
  released.set();
  co_await settle();
  EXPECT_TRUE(task.done());
}

// python/cpython#135371
ASYNC_TEST(Edges, OfAsCompletedAreTheTasksThatRun) {
  for (const bool limited : {false, true}) {
    auto first = eddy::create_task(eddy::sleep(1s), {.name = "first"});
    auto second = eddy::create_task(eddy::sleep(1h), {.name = "second"});
    auto consume = [&]() -> Coro<> {
      std::vector<Task<>> both{first, second};
      auto completed = eddy::as_completed(both, limited ? eddy::Duration(2h) : eddy::Duration::max());
      while (auto done = co_await completed.next()) {
      }
    };
    auto task = eddy::create_task(consume());
    co_await settle();
    EXPECT_EQ(wait_of(task).text, "the first of 2 futures");
    EXPECT_EQ(wait_of(task).edges, "first second");
    co_await eddy::sleep(2s);
    EXPECT_EQ(wait_of(task).text, "the first of 1 futures");
    EXPECT_EQ(wait_of(task).edges, "second");
    co_await task;
  }
}

ASYNC_TEST(Edges, OfATaskGroupAreItsMembers) {
  auto grouped = []() -> Coro<> {
    auto body = [](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(eddy::sleep(0s), {.name = "ended"});
      group.create_task(eddy::sleep(1h), {.name = "m1"});
      group.create_task(eddy::sleep(1h), {.name = "m2"});
      co_return;
    };
    co_await eddy::task_group(body);
  };
  auto task = eddy::create_task(grouped());
  co_await settle();
  EXPECT_EQ(wait_of(task).text, "the tasks of its task group");
  EXPECT_EQ(wait_of(task).edges, "m1 m2");
  task.cancel();
  co_await settle();
}

ASYNC_TEST(Edges, OfStreamsInMemory) {
  auto pair = eddy::testing::stream_pair({.room = 1});
  auto reads = [&]() -> Coro<> { static_cast<void>(co_await pair.near.reader.readexactly(3)); };
  auto wait = co_await suspended_on_void(reads);
  EXPECT_EQ(wait.text, "bytes from a stream in memory");
  pair.near.writer.write(std::string(1 << 20, 'x'));
  auto drains = [&]() -> Coro<> { co_await pair.near.writer.drain(); };
  wait = co_await suspended_on_void(drains);
  EXPECT_EQ(wait.text, "room to write to a stream in memory");
  pair.near.writer.close();
  auto closes = [&]() -> Coro<> { co_await pair.near.writer.wait_closed(); };
  wait = co_await suspended_on_void(closes);
  EXPECT_EQ(wait.text, "the end of a stream in memory");
}

BACKEND_TEST(Edges, OfSocketsNameThePeer) {
  eddy::Event over;
  auto handler = [&](eddy::StreamReader reader, eddy::StreamWriter) -> Coro<> {
    static_cast<void>(co_await reader.read(1));
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.address().port());
  auto read = [&]() -> Coro<> { static_cast<void>(co_await reader.read(1)); };
  auto task = eddy::create_task(read());
  co_await eddy::sleep(0s);
  co_await eddy::sleep(0s);
  EXPECT_EQ(wait_of(task).text,
            fmt::format("bytes from {} (descriptor {})", server.address().str(), writer.core().fd()));
  task.cancel();
  auto serve = [&]() -> Coro<> { co_await server.serve_forever(); };
  auto serving = eddy::create_task(serve());
  co_await eddy::sleep(0s);
  co_await eddy::sleep(0s);
  EXPECT_EQ(wait_of(serving).text, "a server to close and its connections to end");
  writer.close();
  server.close();
  co_await serving;
}

BACKEND_TEST(Edges, OfAConnectionThatIsBeingMade) {
  // A listener whose queue is full answers no more.
  const eddy::detail::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  EXPECT_EQ(::listen(listener.get(), 0), 0);
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&where), &size), 0);
  const int port = ntohs(where.sin_port);
  std::vector<Task<>> callers;
  auto call = [](int to) -> Coro<> { static_cast<void>(co_await eddy::open_connection("127.0.0.1", to)); };
  for (int i = 0; i < 4; ++i) callers.push_back(eddy::create_task(call(port)));
  co_await eddy::sleep(20ms);
  const auto text = wait_of(callers.back()).text;
  EXPECT_EQ(text.substr(0, text.find(" (")), fmt::format("a connection to 127.0.0.1:{}", port));
  for (auto& caller : callers) caller.cancel();
  co_await eddy::gather(eddy::return_exceptions, callers);
}

TEST(Edges, OfThreads) {
  auto main = []() -> Coro<> {
    std::latch go(1);
    auto job = [&]() -> Coro<> {
      auto wait = [&go] { go.wait(); };
      co_await eddy::to_thread(wait);
    };
    auto task = eddy::create_task(job());
    co_await eddy::sleep(0s);
    co_await eddy::sleep(0s);
    const auto text = wait_of(task).text;
    EXPECT_TRUE(text == "a function on a thread" || text == "a free thread") << text;
    go.count_down();
    co_await task;
  };
  eddy::run(main());
}

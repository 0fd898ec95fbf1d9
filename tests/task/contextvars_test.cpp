// SPDX-License-Identifier: MIT
#include <eddy/contextvars.hpp>
#include <eddy/eddy.hpp>
#include <gtest/gtest.h>

#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support.hpp"

namespace {

using namespace eddy;
using namespace std::chrono_literals;

ContextVar<int> number("number");
ContextVar<std::string> user("user", "nobody");

Coro<> set_number(int value) {
  using body [[maybe_unused]] = int;
  number.set(value);
  co_await sleep(1ms);
  EXPECT_EQ(number.get(), value);
}

TEST(ContextVars, AVariableWithoutValueOrDefaultThrowsLookupError) {
  Context().run([] {
    EXPECT_EQ(TEXT_OF(LookupError, number.get()),
              "context variable 'number' has no value here, and no default; set() it first, or get(fallback)");
    EXPECT_EQ(number.get(5), 5);
    EXPECT_EQ(user.get(), "nobody");
    EXPECT_EQ(user.get("somebody"), "somebody");
  });
}

TEST(ContextVars, ResetBringsTheFormerValueBack) {
  Context().run([] {
    auto first = number.set(1);
    auto second = number.set(2);
    EXPECT_FALSE(first.old_value());
    EXPECT_EQ(second.old_value(), 1);
    number.reset(second);
    EXPECT_EQ(number.get(), 1);
    number.reset(first);
    EXPECT_EQ(number.get(0), 0);
  });
}

TEST(ContextVars, ATokenWorksOnceForItsVariableInItsContext) {
  Context().run([] {
    auto token = number.set(1);
    auto name = user.set("ann");
    EXPECT_EQ(TEXT_OF(RuntimeError, (number.reset(token), number.reset(token))),
              "reset of context variable 'number': its token was used already");
    static ContextVar<int> other("other");
    auto foreign = other.set(1);
    EXPECT_EQ(TEXT_OF(ValueError, number.reset(foreign)),
              "reset of context variable 'number': the token is of variable 'other'");
    Context().run([&] {
      EXPECT_EQ(TEXT_OF(ValueError, user.reset(name)),
                "reset of context variable 'user': the token was made in another context");
    });
    EXPECT_EQ(user.get(), "ann");
  });
}

TEST(ContextVars, ScopedEndsWithItsBlockHoweverItEnds) {
  Context().run([] {
    try {
      auto scope = number.scoped(7);
      EXPECT_EQ(number.get(), 7);
      throw 1;
    } catch (int) {
    }
    EXPECT_EQ(number.get(0), 0);
  });
}

TEST(ContextVars, RunKeepsWhatItSetsInTheContext) {
  Context context;
  context.run([] { number.set(3); });
  EXPECT_EQ(context.get(number), 3);
  EXPECT_TRUE(context.contains(number));
  EXPECT_FALSE(context.contains(user));
  EXPECT_EQ(context.size(), 1u);
  EXPECT_EQ(context.names(), std::vector<std::string_view>{"number"});
  auto copy = context.copy();
  copy.run([] { number.set(4); });
  EXPECT_EQ(context.get(number), 3);
  EXPECT_EQ(copy.get(number), 4);
  EXPECT_FALSE(context == copy);
}

TEST(ContextVars, AContextIsEnteredOnce) {
  Context context;
  const std::string text = "cannot enter a context twice: it is entered already; run in a copy() of it";
  context.run([&] { EXPECT_EQ(TEXT_OF(RuntimeError, context.run([] {})), text); });
  EXPECT_EQ(context.run([](int x) { return x; }, 5), 5);
}

BACKEND_TEST(ContextVars, TASK_23_ATaskGetsACopyOfItsMakersContext) {
  number.set(1);
  auto a = create_task(set_number(10));
  auto b = create_task(set_number(20));
  number.set(2);
  auto late = create_task([]() -> Coro<int> { co_return number.get(); });
  co_await gather(a, b);
  EXPECT_EQ(number.get(), 2);
  EXPECT_EQ(co_await late, 2);
  EXPECT_EQ(a.get_context().get(number), 10);
  EXPECT_EQ(b.get_context().get(number), 20);
}

ASYNC_TEST(ContextVars, AnAwaitedCoroutineSharesItsCallersContext) {
  co_await set_number(5);
  EXPECT_EQ(number.get(), 5);
}

ASYNC_TEST(ContextVars, ATaskCanRunInAGivenContext) {
  Context context;
  auto task = create_task(set_number(9), {.context = &context});
  co_await task;
  EXPECT_EQ(context.get(number), 9);
  EXPECT_TRUE(task.get_context() == context);
  EXPECT_EQ(number.get(0), 0);
}

BACKEND_TEST(ContextVars, TASK_24_CallbacksRunInTheContextInWhichTheyWereRegistered) {
  auto& loop = get_running_loop();
  std::vector<int> seen;
  number.set(1);
  auto handle = loop.call_soon([&] {
    seen.push_back(number.get());
    number.set(100);  // stays in the callback's copy
  });
  loop.call_later(1ms, [&] { seen.push_back(number.get()); });
  auto future = loop.create_future<>();
  future.add_done_callback([&](Future<>&) { seen.push_back(number.get()); });
  number.set(2);
  loop.call_soon([&] { seen.push_back(number.get()); });
  future.set_result();
  co_await sleep(5ms);
  EXPECT_EQ(seen, (std::vector{1, 2, 1, 1}));
  EXPECT_EQ(number.get(), 2);
}

BACKEND_TEST(ContextVars, ADescriptorsCallbackKeepsWhatItSets) {
  int ends[2];
  if (::pipe(ends) != 0) throw_os_error(errno, "pipe");
  auto& loop = get_running_loop();
  number.set(0);
  int last = -1;
  loop.add_reader(ends[0], [&] {
    char byte;
    if (::read(ends[0], &byte, 1) != 1) ADD_FAILURE();
    last = number.get();
    number.set(last + 1);
  });
  for (int i = 0; i < 3; ++i) {
    if (::write(ends[1], "x", 1) != 1) ADD_FAILURE();
    while (last != i) co_await sleep(0ms);
  }
  EXPECT_EQ(number.get(), 0);
  loop.remove_reader(ends[0]);
  ::close(ends[0]);
  ::close(ends[1]);
}

BACKEND_TEST(ContextVars, AServersHandlersRunInTheContextOfStartServer) {
  user.set("operator");
  std::string seen;
  auto server = co_await start_server(
      [&](StreamReader, StreamWriter) -> Coro<> {
        seen = user.get();
        user.set("client");
        co_return;
      },
      "127.0.0.1", 0);
  user.set("somebody");
  for (int i = 0; i < 2; ++i) {
    seen.clear();
    auto [reader, writer] = co_await open_connection("127.0.0.1", server.address().port());
    EXPECT_EQ(co_await reader.read(), "");
    EXPECT_EQ(seen, "operator");
  }
  server.close();
  co_await server.wait_closed();
}

BACKEND_TEST(ContextVars, AThreadsJobRunsInACopy) {
  number.set(4);
  EXPECT_EQ(co_await to_thread([] {
              const int here = number.get();
              number.set(5);
              return here;
            }),
            4);
  EXPECT_EQ(number.get(), 4);
  auto& loop = get_running_loop();
  const int in_pool = co_await loop.run_in_executor([] { return number.get(-1); });
  EXPECT_EQ(in_pool, -1);  // as in asyncio: only to_thread() carries it
}

BACKEND_TEST(ContextVars, RunCoroutineThreadsafeBringsTheThreadsContext) {
  auto& loop = get_running_loop();
  const int seen = co_await to_thread([&loop] {
    number.set(8);
    return run_coroutine_threadsafe([]() -> Coro<int> { co_return number.get(); }(), loop).result();
  });
  EXPECT_EQ(seen, 8);
}

TEST(ContextVars, AThreadsOwnContextIsItsOwn) {
  Context().run([] {
    number.set(1);
    std::thread([] {
      EXPECT_EQ(number.get(0), 0);
      number.set(2);
      EXPECT_EQ(number.get(), 2);
    }).join();
    EXPECT_EQ(number.get(), 1);
  });
}

TEST(ContextVars, RunStartsWithTheCallersContextAndARunnerKeepsIt) {
  Context().run([] {
    number.set(1);
    Runner runner;
    auto next = []() -> Coro<int> {
      const int seen = number.get();
      number.set(seen + 1);
      co_return seen;
    };
    EXPECT_EQ(runner.run(next()), 1);
    EXPECT_EQ(runner.run(next()), 2);
    EXPECT_EQ(number.get(), 1);
  });
}

TEST(ContextVars, AHandleTellsItsContext) {
  EventLoop loop;
  Context().run([&] {
    number.set(6);
    auto handle = loop.call_soon([] { number.set(7); });
    number.set(0);
    EXPECT_EQ(handle.get_context().get(number), 6);
    handle.cancel();
  });
  EXPECT_EQ(Handle().get_context().size(), 0u);
}

ASYNC_TEST(ContextVars, ManyVariablesKeepTheirOwnValues) {
  std::vector<std::unique_ptr<ContextVar<int>>> many;
  for (int i = 0; i < 200; ++i) many.push_back(std::make_unique<ContextVar<int>>("many"));
  for (int i = 199; i >= 0; --i) many[i]->set(i);
  auto copy = copy_context();
  for (int i = 0; i < 200; ++i) many[i]->set(-i);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(many[i]->get(), -i);
    EXPECT_EQ(copy.get(*many[i]), i);
  }
  co_return;
}

ASYNC_TEST(ContextVars, AScopeThatDiesWithItsTaskRestoresTheTasksOwnContext) {
  Context context;
  auto body = []() -> Coro<> {
    auto scope = number.scoped(1);
    co_await sleep(1h);
  };
  auto task = create_task(body(), {.context = &context});
  co_await sleep(1ms);
  EXPECT_EQ(context.get(number), 1);
  task.cancel();
  std::vector<Task<>> tasks(1, task);
  co_await wait(tasks);
  EXPECT_FALSE(context.contains(number));
}

}  // namespace

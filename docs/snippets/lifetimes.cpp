// SPDX-License-Identifier: MIT
#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::Coro;

static Coro<> send(std::string) { co_await eddy::sleep(1ms); }

static Coro<> lambdas(std::string message) {
  // [lambdas]
  // wrong: the closure dies at the end of this line, the coroutine refers to it
  //   auto task = eddy::create_task([message]() -> Coro<> { co_await send(message); }());

  // right: create_task() keeps the function and its arguments for as long as the task runs
  auto job = [message]() -> Coro<> { co_await send(message); };
  auto task = eddy::create_task(std::move(job));

  // right: a parameter is copied into the coroutine
  auto same = eddy::create_task([](std::string text) -> Coro<> { co_await send(text); }, message);
  // [/lambdas]
  co_await eddy::gather(task, same);
}

static Coro<> groups() {
  // [groups]
  std::vector<std::string> results(3);  // outside: it outlives the children
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    for (std::size_t i = 0; i < results.size(); ++i) {
      group.create_task([&results, i]() -> Coro<> {
        co_await eddy::sleep(1ms);
        results[i] = "done";
      });
    }
    co_return;  // locals of this body die here, before the children have ended
  });
  // [/groups]
}

eddy::Coro<> lifetimes_program() {
  co_await lambdas("hello");
  co_await groups();
}

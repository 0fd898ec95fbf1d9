// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <iostream>

using namespace std::chrono_literals;
using eddy::Coro;

static Coro<int> download() {
  co_await eddy::sleep(2ms);
  co_return 7;
}

static Coro<> save_all() { co_await eddy::sleep(1ms); }

static Coro<> scopes() {
  // [move_on]
  auto page = co_await eddy::move_on_after(1s, download());  // std::optional<int>
  std::cout << (page ? "in time\n" : "too slow\n");
  // [/move_on]
  // [scope]
  eddy::CancelScope scope;
  eddy::get_running_loop().call_later(1ms, [&scope] { scope.cancel(); });
  const bool finished = co_await scope.run([]() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const eddy::CancelledError&) {
    }
    eddy::CancelScope clean_up({.timeout = 5s, .shield = true});  // without it, the next wait throws again
    co_await clean_up.run(save_all());
  });
  std::cout << finished << '\n';
  // [/scope]
}

static Coro<> race() {
  // [race]
  auto winner = co_await eddy::race(download(), eddy::sleep(1s));
  if (winner.index() == 0) std::cout << std::get<0>(winner) << '\n';
  // [/race]
}

// [start]
static Coro<> serve(eddy::TaskStatus<int> status, int wanted) {
  co_await eddy::sleep(1ms);  // binds the port
  status.started(wanted);
  co_await eddy::sleep(1ms);  // serves
}
// [/start]

static Coro<> start() {
  // [group_start]
  co_await eddy::task_group([](eddy::TaskGroup& group) -> Coro<> {
    const int port = co_await group.start<int>(serve, 8080);  // it listens now, or has thrown
    std::cout << port << '\n';
  });
  // [/group_start]
}

static Coro<> channels() {
  // [channel]
  auto [sender, receiver] = eddy::open_memory_channel<int>(10);
  co_await sender.send(1);
  co_await sender.send(2);
  sender.close();
  while (auto item = co_await receiver.next()) std::cout << *item << '\n';
  // [/channel]
}

// [context]
static eddy::ContextVar<std::string> request_id("request_id", "none");

static Coro<> handle(std::string id) {
  request_id.set(id);  // for this task and for those that it makes from now on
  co_await eddy::sleep(1ms);
  std::cout << request_id.get() << '\n';
}
// [/context]

static Coro<> contexts() {
  // [contexts]
  auto a = eddy::create_task(handle("r-1"));
  auto b = eddy::create_task(handle("r-2"));
  co_await eddy::gather(a, b);
  std::cout << request_id.get() << '\n';  // none: a task's settings do not leave it
  // [/contexts]
  // [scoped]
  auto inside = request_id.scoped("r-3");  // until the end of the block
  // [/scoped]
}

static Coro<> eager() {
  // [eager]
  auto task = eddy::create_task(download(), {.name = "download", .eager_start = true});  // runs up to its first wait
  eddy::get_running_loop().set_task_factory(eddy::eager_task_factory);                    // so do all from now on
  // [/eager]
  co_await task;
  eddy::get_running_loop().set_task_factory(nullptr);
}

Coro<> structured_program() {
  co_await scopes();
  co_await race();
  co_await start();
  co_await channels();
  co_await contexts();
  co_await eager();
}

// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <cstdio>
#include <iostream>

using namespace std::chrono_literals;

// [coro]
eddy::Coro<int> answer() {
  co_await eddy::sleep(10ms);
  co_return 42;
}
// [/coro]

static eddy::Coro<> tasks() {
  // [tasks]
  eddy::Task<int> task = eddy::create_task(answer(), {.name = "deep thought"});
  const int direct = co_await answer();  // runs here and now, inside this task
  const int beside = co_await task;      // ran beside it
  std::cout << direct + beside << '\n';
  // [/tasks]
}

static eddy::Coro<> shared_state() {
  // [lock]
  eddy::Lock lock;
  int balance = 100;
  auto withdraw = [&](int amount) -> eddy::Coro<bool> {
    auto held = co_await lock;  // released at the end of the scope
    if (balance < amount) co_return false;
    co_await eddy::sleep(1ms);  // other tasks run here, and the lock keeps them out
    balance -= amount;
    co_return true;
  };
  auto [first, second] = co_await eddy::gather(withdraw(70), withdraw(70));
  std::cout << first << second << '\n';
  // [/lock]
}

static eddy::Coro<> network() {
  // [client]
  auto server = co_await eddy::start_server(
      [](eddy::StreamReader reader, eddy::StreamWriter writer) -> eddy::Coro<> {
        while (auto line = co_await reader.next()) {
          writer.write("you said " + *line);
          co_await writer.drain();  // waits while the peer is slow
        }
      },
      "127.0.0.1", 0);

  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  writer.write("hello\n");
  std::cout << co_await reader.readline();
  // [/client]
}

eddy::Coro<> tutorial_program() {
  co_await tasks();
  co_await shared_state();
  co_await network();
}

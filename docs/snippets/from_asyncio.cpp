// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <iostream>

using namespace std::chrono_literals;
using eddy::Coro;

static Coro<int> fetch(int n) {
  co_await eddy::sleep(1ms);
  if (n < 0) throw std::runtime_error("negative");
  co_return n;
}

static Coro<> results() {
  // [exceptions]
  auto [good, bad] = co_await eddy::gather(eddy::return_exceptions, fetch(1), fetch(-1));
  if (good) std::cout << *good << '\n';
  if (!bad) std::cout << "the other one threw\n";
  // [/exceptions]
}

static Coro<> completed() {
  // [as_completed]
  std::vector<Coro<int>> fetches;
  for (int n : {1, 2, 3}) fetches.push_back(fetch(n));
  auto completed = eddy::as_completed(std::move(fetches));
  while (auto task = co_await completed.next()) std::cout << task->result() << '\n';
  // [/as_completed]
}

static Coro<> callbacks() {
  // [future]
  auto& loop = eddy::get_running_loop();
  auto future = loop.create_future<int>();
  loop.call_later(1ms, [future] { future.set_result(7); });
  std::cout << co_await future << '\n';
  // [/future]
}

eddy::Coro<> from_asyncio_program() {
  co_await results();
  co_await completed();
  co_await callbacks();
}

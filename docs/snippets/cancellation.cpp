// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <iostream>

using namespace std::chrono_literals;
using eddy::Coro;

// [cleanup]
Coro<> worker() {
  std::exception_ptr cancelled;
  try {
    co_await eddy::sleep(1h);
  } catch (const eddy::CancelledError&) {
    cancelled = std::current_exception();
  }
  if (!cancelled) co_return;
  co_await eddy::sleep(1ms);          // clean up: awaits are allowed again
  std::rethrow_exception(cancelled);  // and let the cancellation go on
}
// [/cleanup]

static Coro<> cancel_it() {
  // [cancel]
  auto task = eddy::create_task(worker());
  co_await eddy::sleep(0s);
  task.cancel();
  try {
    co_await task;
  } catch (const eddy::CancelledError&) {
    std::cout << task.cancelled() << '\n';
  }
  // [/cancel]
}

static Coro<int> save() {
  co_await eddy::sleep(1ms);
  co_return 1;
}

static Coro<> shielded() {
  // [shield]
  auto saving = eddy::create_task(save());
  const int saved = co_await eddy::shield(saving);  // cancelled here, the task goes on
  // [/shield]
  std::cout << saved << '\n';
}

eddy::Coro<> cancellation_program() {
  co_await cancel_it();
  co_await shielded();
}

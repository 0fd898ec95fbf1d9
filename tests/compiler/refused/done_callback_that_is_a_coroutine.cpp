// SPDX-License-Identifier: MIT
// error: eddy: this callback makes a coroutine that nobody would await
#include <eddy/eddy.hpp>

void f(eddy::Task<int> task) {
  task.add_done_callback([](eddy::Task<int>&) -> eddy::Coro<> { co_return; });
}

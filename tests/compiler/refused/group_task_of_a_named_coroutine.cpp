// SPDX-License-Identifier: MIT
// error: eddy: create_task() takes over the coroutine
#include <eddy/eddy.hpp>

eddy::Coro<> g();
void f(eddy::TaskGroup& group) {
  auto coro = g();
  group.create_task(coro);
}

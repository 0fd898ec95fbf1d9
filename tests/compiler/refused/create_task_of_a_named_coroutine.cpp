// SPDX-License-Identifier: MIT
// error: eddy: create_task() takes over the coroutine
#include <eddy/eddy.hpp>

eddy::Coro<> g();
void f() {
  auto coro = g();
  eddy::create_task(coro);
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<> g();
void f(eddy::EventLoop& loop) {
  loop.call_soon([] { eddy::create_task(g()); });
}

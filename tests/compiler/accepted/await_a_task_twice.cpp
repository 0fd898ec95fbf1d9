// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> g();
eddy::Coro<int> f() {
  auto task = eddy::create_task(g());
  co_return co_await task + co_await task;
}

// SPDX-License-Identifier: MIT
// error: co_await it or create_task() it
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() {
  g();
  co_return;
}

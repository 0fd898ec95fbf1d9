// SPDX-License-Identifier: MIT
// error: eddy: a Coro runs once and is handed over
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> g();
eddy::Coro<> f() {
  auto coro = g();
  co_await eddy::wait_for(coro, 1s);
}

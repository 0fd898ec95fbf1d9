// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<int> g();
eddy::Coro<bool> f() {
  auto winner = co_await eddy::race(g(), eddy::sleep(1s));
  co_return winner.index() == 0;
}

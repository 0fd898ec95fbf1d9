// SPDX-License-Identifier: MIT
// error: co_await it
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> f() {
  eddy::sleep(1s);
  co_return;
}

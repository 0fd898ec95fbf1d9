// SPDX-License-Identifier: MIT
// error: co_await it
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> g();
eddy::Coro<> f() {
  eddy::timeout(1s, g());
  co_return;
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<> f() {
  int x = 1;
  co_await eddy::create_task([x]() -> eddy::Coro<int> { co_return x; });
}

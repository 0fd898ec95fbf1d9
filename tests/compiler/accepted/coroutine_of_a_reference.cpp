// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

int global;
eddy::Coro<int&> g() { co_return global; }
eddy::Coro<> f() {
  int& x = co_await g();
  x = 1;
}

// SPDX-License-Identifier: MIT
// error: eddy: the function cannot be called with copies of these arguments on another thread
#include <eddy/eddy.hpp>

void g(int& out);
eddy::Coro<> f() {
  int local = 0;
  co_await eddy::to_thread(g, local);
}

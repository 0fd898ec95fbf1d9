// SPDX-License-Identifier: MIT
// error: give std::ref(x) for a parameter that is a reference
#include <eddy/eddy.hpp>

eddy::Coro<> g(int& out);
void f() {
  int local = 0;
  eddy::create_task(g, local);
}

// SPDX-License-Identifier: MIT
// error: give std::ref(x) for a parameter that is a reference
#include <eddy/eddy.hpp>

eddy::Coro<> g(std::string& out);
void f(eddy::TaskGroup& group) {
  std::string local;
  group.create_task(g, local);
}

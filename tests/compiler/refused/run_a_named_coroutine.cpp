// SPDX-License-Identifier: MIT
// error: eddy: a Coro runs once and is handed over
#include <eddy/eddy.hpp>

eddy::Coro<> g();
void f() {
  auto coro = g();
  eddy::run(coro);
}

// SPDX-License-Identifier: MIT
// error: eddy: this is a function that needs arguments
#include <eddy/eddy.hpp>

eddy::Coro<> g(int);
void f() { eddy::create_task(g); }

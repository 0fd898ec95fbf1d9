// SPDX-License-Identifier: MIT
// error: eddy: the function cannot be called with copies of these arguments
#include <eddy/eddy.hpp>

eddy::Coro<> g(int);
void f() { eddy::create_task(g, "text"); }

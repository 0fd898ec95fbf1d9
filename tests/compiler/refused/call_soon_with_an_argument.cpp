// SPDX-License-Identifier: MIT
// error: eddy: a callback is called without arguments
#include <eddy/eddy.hpp>

void g(int);
void f(eddy::EventLoop& loop) { loop.call_soon(g); }

// SPDX-License-Identifier: MIT
// error: eddy: this callback makes a coroutine that nobody would await
#include <eddy/eddy.hpp>

eddy::Coro<> g();
void f(eddy::EventLoop& loop) { loop.call_soon(g); }

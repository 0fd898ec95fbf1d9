// SPDX-License-Identifier: MIT
// error: eddy: this callback makes a coroutine that nobody would await
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> g();
void f(eddy::EventLoop& loop) { loop.call_later(1s, [] { return g(); }); }

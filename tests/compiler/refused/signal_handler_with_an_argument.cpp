// SPDX-License-Identifier: MIT
// error: eddy: a callback is called without arguments
#include <eddy/eddy.hpp>

void on_signal(int);
void f(eddy::EventLoop& loop) { loop.add_signal_handler(2, on_signal); }

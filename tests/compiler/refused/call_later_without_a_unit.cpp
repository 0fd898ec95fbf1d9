// SPDX-License-Identifier: MIT
// error: eddy: a time needs its unit: call_later(5s
#include <eddy/eddy.hpp>

void f(eddy::EventLoop& loop) { loop.call_later(5, [] {}); }

// SPDX-License-Identifier: MIT
// error: co_await it
#include <eddy/eddy.hpp>

void f(eddy::Queue<int>& queue) { queue.get(); }

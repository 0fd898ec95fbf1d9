// SPDX-License-Identifier: MIT
// error: co_await it
#include <eddy/eddy.hpp>

void g();
void f() { eddy::to_thread(g); }

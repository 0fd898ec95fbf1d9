// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<> g();
void f() { eddy::create_task(g()); }

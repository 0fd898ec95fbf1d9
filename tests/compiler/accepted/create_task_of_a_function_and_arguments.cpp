// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<> g(int, std::string);
void f() { eddy::create_task(g, 1, "text"); }

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <functional>

eddy::Coro<> g(int& out);
void f(int& out) { eddy::create_task(g, std::ref(out)); }

// SPDX-License-Identifier: MIT
// error: eddy: a coroutine gives a value
#include <eddy/eddy.hpp>

eddy::Coro<std::string&&> f();
void g() { auto coro = f(); }

// SPDX-License-Identifier: MIT
// error: eddy: this is a function that needs arguments
#include <eddy/eddy.hpp>

eddy::Coro<> g(int);
eddy::Coro<> f() { co_await eddy::gather(g, g); }

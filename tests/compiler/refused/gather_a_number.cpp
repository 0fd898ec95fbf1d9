// SPDX-License-Identifier: MIT
// error: eddy: this cannot be awaited: give a Coro
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() { co_await eddy::gather(g(), 5); }

// SPDX-License-Identifier: MIT
// error: eddy: a time needs its unit: wait_for(x, 5s)
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() { co_await eddy::wait_for(g(), 5); }

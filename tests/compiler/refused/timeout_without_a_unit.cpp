// SPDX-License-Identifier: MIT
// error: eddy: a time needs its unit: timeout(5s
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() { co_await eddy::timeout(0.5, g()); }

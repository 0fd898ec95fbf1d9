// SPDX-License-Identifier: MIT
// error: eddy: this cannot be awaited
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() { co_await g; }

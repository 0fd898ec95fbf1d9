// SPDX-License-Identifier: MIT
// error: eddy: this cannot be awaited
#include <eddy/eddy.hpp>

int blocking();
eddy::Coro<> f() { co_await blocking(); }

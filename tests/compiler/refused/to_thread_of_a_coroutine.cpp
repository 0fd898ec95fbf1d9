// SPDX-License-Identifier: MIT
// error: eddy: a thread calls plain functions
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() { co_await eddy::to_thread(g); }

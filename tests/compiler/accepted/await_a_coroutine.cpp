// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> g();
eddy::Coro<int> f() { co_return co_await g() + 1; }

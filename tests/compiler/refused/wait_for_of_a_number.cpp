// SPDX-License-Identifier: MIT
// error: eddy: this cannot be awaited: give a Coro
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> f() { co_await eddy::wait_for(5, 1s); }

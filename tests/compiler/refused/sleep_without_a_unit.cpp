// SPDX-License-Identifier: MIT
// error: eddy: a time needs its unit: sleep(5s)
#include <eddy/eddy.hpp>

eddy::Coro<> f() { co_await eddy::sleep(5); }

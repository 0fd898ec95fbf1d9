// SPDX-License-Identifier: MIT
// error: eddy: this cannot be awaited: give a Coro
#include <eddy/eddy.hpp>

void f() { eddy::create_task(5); }

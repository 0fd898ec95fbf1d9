// SPDX-License-Identifier: MIT
// error: eddy: the function is no coroutine
#include <eddy/eddy.hpp>

void f() { eddy::create_task([] { return 1; }); }

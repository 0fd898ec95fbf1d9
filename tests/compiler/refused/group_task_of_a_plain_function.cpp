// SPDX-License-Identifier: MIT
// error: eddy: the function is no coroutine
#include <eddy/eddy.hpp>

void work();
void f(eddy::TaskGroup& group) { group.create_task(work); }

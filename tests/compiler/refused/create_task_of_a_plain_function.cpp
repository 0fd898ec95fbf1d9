// SPDX-License-Identifier: MIT
// error: eddy: the function is no coroutine
#include <eddy/eddy.hpp>

int add(int, int);
void f() { eddy::create_task(add, 1, 2); }

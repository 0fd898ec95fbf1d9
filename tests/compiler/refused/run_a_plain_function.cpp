// SPDX-License-Identifier: MIT
// error: eddy: the function is no coroutine
#include <eddy/eddy.hpp>

void g();
int main() { eddy::run(g); }

// SPDX-License-Identifier: MIT
// error: eddy: run() takes what the function gives
#include <eddy/eddy.hpp>

eddy::Coro<> g();
int main() { eddy::run(g); }

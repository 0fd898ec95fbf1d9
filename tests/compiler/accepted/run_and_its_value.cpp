// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> g();
int main() { return eddy::run(g(), {.backend = eddy::Backend::poll}); }

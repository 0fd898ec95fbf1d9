// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <memory>

eddy::Coro<> g(std::unique_ptr<int>);
void f() { eddy::create_task(g, std::make_unique<int>(1)); }

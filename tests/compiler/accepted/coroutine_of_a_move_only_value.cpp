// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <memory>

eddy::Coro<std::unique_ptr<int>> g();
eddy::Coro<int> f() {
  auto p = co_await g();
  co_return *p;
}

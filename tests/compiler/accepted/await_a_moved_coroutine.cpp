// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() {
  auto coro = g();
  co_await std::move(coro);
}

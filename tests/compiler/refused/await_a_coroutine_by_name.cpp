// SPDX-License-Identifier: MIT
// error: eddy: a Coro is awaited once
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() {
  auto coro = g();
  co_await coro;
}

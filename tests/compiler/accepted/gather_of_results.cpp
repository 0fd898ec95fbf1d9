// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> g();
eddy::Coro<bool> f() {
  auto [a, b] = co_await eddy::gather(eddy::return_exceptions, g(), g());
  co_return a.has_value() && b.has_value();
}

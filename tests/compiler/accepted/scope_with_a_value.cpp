// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<int> g();
eddy::Coro<int> f() {
  auto value = co_await eddy::move_on_after(1s, g());
  co_return value.value_or(0);
}

// SPDX-License-Identifier: MIT
#include <eddy/tasks.hpp>

eddy::Coro<int> answer();

eddy::Coro<> wrong() {
  auto coro = answer();
  co_await coro;
}

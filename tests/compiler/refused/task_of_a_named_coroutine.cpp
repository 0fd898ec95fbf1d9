// SPDX-License-Identifier: MIT
#include <eddy/tasks.hpp>

eddy::Coro<int> answer();

void wrong() {
  auto coro = answer();
  eddy::create_task(coro);
}

// SPDX-License-Identifier: MIT
#include <eddy/tasks.hpp>

eddy::Coro<int> wrong() {
  co_yield 1;
  co_return 2;
}

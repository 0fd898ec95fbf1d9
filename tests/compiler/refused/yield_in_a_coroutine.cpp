// SPDX-License-Identifier: MIT
// error: eddy: a Coro cannot co_yield: it gives one result, with co_return
#include <eddy/tasks.hpp>

eddy::Coro<int> wrong() {
  co_yield 1;
  co_return 2;
}

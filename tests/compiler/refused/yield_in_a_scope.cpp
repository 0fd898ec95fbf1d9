// SPDX-License-Identifier: MIT
// error: eddy: a Coro cannot co_yield
// A yield inside of a scope that cancels: the scope would be left and entered by whoever iterates.
#include <eddy/eddy.hpp>

eddy::AsyncGenerator<int> wrong() {
  co_await eddy::task_group([](eddy::TaskGroup&) -> eddy::Coro<> {
    co_yield 1;
    co_return;
  });
}

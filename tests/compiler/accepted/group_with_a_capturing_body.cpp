// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> g();
eddy::Coro<int> f() {
  int sum = 0;
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> eddy::Coro<> {
    sum = co_await group.create_task(g());
  });
  co_return sum;
}

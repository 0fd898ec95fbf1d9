// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<> serve(eddy::TaskStatus<int> status, int port);
eddy::Coro<> f() {
  co_await eddy::task_group([](eddy::TaskGroup& group) -> eddy::Coro<> {
    const int port = co_await group.start<int>(serve, 80);
    static_cast<void>(port);
  });
}

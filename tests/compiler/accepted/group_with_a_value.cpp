// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> f() {
  co_return co_await eddy::task_group([](eddy::TaskGroup&) -> eddy::Coro<int> { co_return 1; });
}

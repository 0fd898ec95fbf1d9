// SPDX-License-Identifier: MIT
// error: eddy: task_group() takes a coroutine function
#include <eddy/eddy.hpp>

eddy::Coro<> f() {
  co_await eddy::task_group([]() -> eddy::Coro<> { co_return; });
}

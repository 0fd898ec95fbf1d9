// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

struct Later {
  eddy::Future<int> future;
  auto operator co_await() const { return future.operator co_await(); }
};
eddy::Coro<int> f(Later later) { co_return co_await later; }

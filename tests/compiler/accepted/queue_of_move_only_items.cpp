// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <memory>

eddy::Coro<int> f(eddy::Queue<std::unique_ptr<int>>& queue) {
  co_await queue.put(std::make_unique<int>(1));
  auto item = co_await queue.get();
  co_return *item;
}

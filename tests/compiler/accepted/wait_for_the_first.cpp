// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> f(std::vector<eddy::Task<int>> tasks) {
  auto [done, pending] = co_await eddy::wait(tasks, {.timeout = 1s, .return_when = eddy::FIRST_COMPLETED});
  for (auto& task : pending) task.cancel();
  static_cast<void>(done);
}

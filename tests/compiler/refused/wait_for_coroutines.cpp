// SPDX-License-Identifier: MIT
#include <eddy/wait.hpp>

eddy::Coro<int> answer();

void wrong() {
  std::vector<eddy::Coro<int>> coros;
  coros.push_back(answer());
  eddy::wait(std::move(coros));
}

// SPDX-License-Identifier: MIT
#include <eddy/generators.hpp>
#include <eddy/tasks.hpp>

eddy::Generator<int> wrong() {
  co_await eddy::sleep(std::chrono::seconds(1));
  co_yield 1;
}

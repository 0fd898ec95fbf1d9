// SPDX-License-Identifier: MIT
// error: eddy: a Generator cannot co_await: it does not run in a task
#include <eddy/generators.hpp>
#include <eddy/tasks.hpp>

eddy::Generator<int> wrong() {
  co_await eddy::sleep(std::chrono::seconds(1));
  co_yield 1;
}

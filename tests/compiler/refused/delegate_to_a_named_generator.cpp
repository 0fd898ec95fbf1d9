// SPDX-License-Identifier: MIT
#include <eddy/generators.hpp>

eddy::Generator<int> numbers();

eddy::Generator<int> wrong() {
  auto inner = numbers();
  co_yield eddy::from(inner);
}

// SPDX-License-Identifier: MIT
// error: eddy: from() takes over the generator: from(std::move(generator))
#include <eddy/generators.hpp>

eddy::Generator<int> numbers();

eddy::Generator<int> wrong() {
  auto inner = numbers();
  co_yield eddy::from(inner);
}

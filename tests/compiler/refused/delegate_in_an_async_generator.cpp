// SPDX-License-Identifier: MIT
#include <eddy/async_generators.hpp>

eddy::Generator<int> numbers();

eddy::AsyncGenerator<int> wrong() { co_yield eddy::from(numbers()); }

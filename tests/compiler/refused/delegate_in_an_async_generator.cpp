// SPDX-License-Identifier: MIT
// error: eddy: an AsyncGenerator cannot delegate with from()
#include <eddy/async_generators.hpp>

eddy::Generator<int> numbers();

eddy::AsyncGenerator<int> wrong() { co_yield eddy::from(numbers()); }

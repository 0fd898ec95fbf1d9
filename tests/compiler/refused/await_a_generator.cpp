// SPDX-License-Identifier: MIT
// error: eddy: a generator cannot be awaited: iterate over it, await it.next()
#include <eddy/generators.hpp>
#include <eddy/tasks.hpp>

eddy::Generator<int> numbers();

eddy::Coro<> wrong() { co_await numbers(); }

// SPDX-License-Identifier: MIT
#include <eddy/generators.hpp>
#include <eddy/tasks.hpp>

eddy::Generator<int> numbers();

eddy::Coro<> wrong() { co_await numbers(); }

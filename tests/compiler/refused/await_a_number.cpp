// SPDX-License-Identifier: MIT
#include <eddy/tasks.hpp>

eddy::Coro<> wrong() { co_await 5; }

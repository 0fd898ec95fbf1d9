// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> f(eddy::Task<int> task) { co_return co_await eddy::shield(task); }

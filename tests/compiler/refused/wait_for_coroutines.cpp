// SPDX-License-Identifier: MIT
// error: eddy: wait() takes tasks and futures
#include <eddy/eddy.hpp>

eddy::Coro<> f(std::vector<eddy::Coro<>> coroutines) { co_await eddy::wait(std::move(coroutines)); }

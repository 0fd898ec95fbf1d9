// SPDX-License-Identifier: MIT
// error: eddy: this cannot be awaited
#include <eddy/eddy.hpp>

#include <future>

eddy::Coro<> f(std::future<int> future) { co_await future; }

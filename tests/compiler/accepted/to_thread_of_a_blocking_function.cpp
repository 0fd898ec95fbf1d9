// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

std::string fetch(std::string url);
eddy::Coro<std::string> f() { co_return co_await eddy::to_thread(fetch, "a"); }

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <functional>

void fill(std::string& out);
eddy::Coro<> f(std::string& out) { co_await eddy::to_thread(fill, std::ref(out)); }

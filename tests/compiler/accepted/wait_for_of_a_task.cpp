// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<int> f(eddy::Task<int> task) { co_return co_await eddy::wait_for(task, 1s); }

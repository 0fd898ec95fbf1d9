// SPDX-License-Identifier: MIT
// error: for a function that takes a std::stop_token include <eddy/stop_token.hpp>
#include <eddy/eddy.hpp>
#include <stop_token>

eddy::Coro<> f() {
  co_await eddy::to_thread([](std::stop_token, int) {}, 1);
}

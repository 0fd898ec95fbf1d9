// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> f(eddy::Lock& lock) {
  auto held = co_await lock;
  co_await eddy::sleep(1s);
}

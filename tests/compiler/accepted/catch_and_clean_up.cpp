// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<> g();
eddy::Coro<> f() {
  bool cancelled = false;
  try {
    co_await g();
  } catch (const eddy::CancelledError&) {
    cancelled = true;
  }
  if (cancelled) co_await eddy::sleep(1ms);
}

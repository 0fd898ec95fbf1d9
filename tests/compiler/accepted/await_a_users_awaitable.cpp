// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

struct Ready {
  bool await_ready() { return true; }
  void await_suspend(std::coroutine_handle<>) {}
  int await_resume() { return 1; }
};
eddy::Coro<int> f() { co_return co_await Ready(); }

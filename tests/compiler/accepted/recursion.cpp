// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> fib(int n) {
  if (n < 2) co_return n;
  co_return co_await fib(n - 1) + co_await fib(n - 2);
}

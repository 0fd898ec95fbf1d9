// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> g(int);
eddy::Coro<int> f() {
  std::vector<eddy::Coro<int>> all;
  for (int i = 0; i < 3; ++i) all.push_back(g(i));
  int sum = 0;
  for (int x : co_await eddy::gather(std::move(all))) sum += x;
  co_return sum;
}

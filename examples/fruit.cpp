// SPDX-License-Identifier: MIT
// Two coroutines count side by side. The program of the README.
//
//     $ ./fruit
//     apples 1
//     pears 1
//     apples 2
//     pears 2
//     pears 3
//     5 in all
#include <eddy/eddy.hpp>

#include <iostream>
#include <string>

using namespace std::chrono_literals;
using eddy::Coro;

Coro<int> count(std::string name, int n) {
  for (int i = 1; i <= n; ++i) {
    co_await eddy::sleep(10ms);
    std::cout << name << ' ' << i << '\n';
  }
  co_return n;
}

Coro<> program() {
  auto [apples, pears] = co_await eddy::gather(count("apples", 2), count("pears", 3));
  std::cout << apples + pears << " in all\n";
}

int main() { eddy::run(program()); }

// SPDX-License-Identifier: MIT
// Says hello, sleeps, says goodbye: a coroutine and the loop that runs it.
//
//     $ ./hello
//     hello
//     world, 0.1 s later
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

eddy::Coro<> hello() {
  std::cout << "hello\n";
  co_await eddy::sleep(100ms);
  std::cout << "world, 0.1 s later\n";
}

int main() { eddy::run(hello()); }

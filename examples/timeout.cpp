// SPDX-License-Identifier: MIT
// A deadline around anything: the body unwinds, then TimeoutError is thrown at the edge.
//
//     $ ./timeout
//     closing the slow connection
//     timed out after 50ms
//     in time: 42
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;
using eddy::Coro;

struct Connection {
  ~Connection() { std::cout << "closing the slow connection\n"; }
};

Coro<int> slow() {
  Connection connection;
  co_await eddy::sleep(1h);
  co_return 1;
}

Coro<int> quick() {
  co_await eddy::sleep(1ms);
  co_return 42;
}

Coro<> main_program() {
  try {
    co_await eddy::timeout(50ms, slow());
  } catch (const eddy::TimeoutError& error) {
    std::cout << error.what() << '\n';
  }
  std::cout << "in time: " << co_await eddy::wait_for(quick(), 10s) << '\n';
}

int main() { eddy::run(main_program()); }

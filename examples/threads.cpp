// SPDX-License-Identifier: MIT
// A blocking function beside the loop: it runs on a thread while the loop goes on ticking.
//
//     $ ./threads
//     tick
//     tick
//     tick
//     the sum is 4999950000
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;
using eddy::Coro;

long blocking_sum(long n) {
  std::this_thread::sleep_for(350ms);  // would stop every task of the loop
  long sum = 0;
  for (long i = 0; i < n; ++i) sum += i;
  return sum;
}

Coro<> tick() {
  for (int i = 0; i < 3; ++i) {
    co_await eddy::sleep(100ms);
    std::cout << "tick\n";
  }
}

Coro<> main_program() {
  auto ticking = eddy::create_task(tick());
  const long sum = co_await eddy::to_thread(blocking_sum, 100'000L);
  co_await ticking;
  std::cout << "the sum is " << sum << '\n';
}

int main() { eddy::run(main_program()); }

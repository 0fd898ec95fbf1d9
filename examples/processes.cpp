// SPDX-License-Identifier: MIT
// Functions in other processes: one computes, one hangs, one crashes, and the loop goes on.
//
//     $ ./processes
//     there are 1229 primes below 10000
//     (anonymous namespace)::Hang ran longer than 100ms and its process was killed
//     in order: 4 25 168
//     a worker process of the pool died by signal 9 (Killed) while it ran (anonymous namespace)::Crash
#include <eddy/eddy.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using eddy::Coro;

namespace {

long count_primes(long below) {
  long count = 0;
  for (long n = 2; n < below; ++n) {
    bool prime = true;
    for (long d = 2; prime && d * d <= n; ++d) prime = n % d != 0;
    count += prime;
  }
  return count;
}

struct Hang {
  void operator()() const { std::this_thread::sleep_for(1h); }
};
struct Crash {
  void operator()() const { std::raise(SIGKILL); }
};

Coro<> main_program() {
  auto& loop = eddy::get_running_loop();
  eddy::ProcessPoolExecutor pool{{.max_workers = 2}};
  const long primes = co_await loop.run_in_executor(pool, count_primes, 10'000);
  std::cout << "there are " << primes << " primes below 10000\n";
  try {
    co_await loop.run_in_executor(pool.with_timeout(100ms), Hang());
  } catch (const eddy::TimeoutError& late) {
    std::cout << late.what() << '\n';
  }
  std::cout << "in order:";
  for (long n : pool.map(count_primes, std::vector{10L, 100L, 1000L})) std::cout << ' ' << n;
  std::cout << '\n';
  try {
    co_await loop.run_in_executor(pool, Crash());
  } catch (const eddy::BrokenProcessPool& broken) {
    std::cout << broken.what() << '\n';
  }
}

}  // namespace

int main() { eddy::run(main_program()); }

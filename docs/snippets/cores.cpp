// SPDX-License-Identifier: MIT
#include <eddy/cores.hpp>
#include <eddy/eddy.hpp>

#include <algorithm>
#include <cstdlib>

#include "snippets.hpp"

using eddy::Coro;

// [all]
long count_primes(long from, long to) {
  long count = 0;
  for (long n = from; n < to; ++n) {
    bool prime = n > 1;
    for (long d = 2; prime && d * d <= n; ++d) prime = n % d != 0;
    count += prime;
  }
  return count;
}

long primes_below(long limit) {
  long total = 0;
  eddy::run_on_all_cores([&](eddy::Core core) -> Coro<> {
    const long share = limit / core.count() + 1;
    const long mine = count_primes(core.index() * share, std::min(limit, (core.index() + 1) * share));
    co_await core.other(0).call([&total, mine] { total += mine; });  // on one thread, so without a lock
  });
  return total;
}
// [/all]

void cores_program() {
  if (primes_below(1000) != 168) std::abort();
}

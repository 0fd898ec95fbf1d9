// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/retry.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "loop/loop.hpp"

namespace eddy::detail {
namespace {

// In [0, 1). Under a virtual clock a program runs the same way each time.
double random_part(std::int64_t seed) {
  if (Loop::running().backend->is_simulated()) {
    std::minstd_rand generator(static_cast<unsigned>(seed % 2147483646 + 1));
    generator.discard(3);
    return std::generate_canonical<double, 32>(generator);
  }
  static thread_local std::minstd_rand generator(std::random_device{}());
  return std::generate_canonical<double, 32>(generator);
}

}  // namespace

void check_retry(const RetryOptions& options) {
  if (options.attempts < 1) throw ValueError(fmt::format("retry: attempts must be at least 1 and is {}", options.attempts));
  if (options.backoff.count() < 0) throw ValueError("retry: backoff must not be negative");
  if (!(options.jitter >= 0 && options.jitter <= 1)) {
    throw ValueError(fmt::format("retry: jitter must be from 0 to 1 and is {}", options.jitter));
  }
}

Duration pause_before_retry(const RetryOptions& options, int failures) {
  const auto longest = std::max<std::int64_t>(options.longest.count(), 0);
  std::int64_t pause = std::min(options.backoff.count(), longest);
  for (int i = 1; i < failures && pause < longest; ++i) pause = pause > longest / 2 ? longest : pause * 2;
  if (options.jitter > 0) {
    const double part = 1 - options.jitter * random_part(Loop::running().time() + failures);
    pause = static_cast<std::int64_t>(static_cast<double>(pause) * part);
  }
  return Duration::nanoseconds(pause);
}

}  // namespace eddy::detail

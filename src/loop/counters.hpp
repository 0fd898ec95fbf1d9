// SPDX-License-Identifier: MIT
// What a loop counts of itself. Always on: an addition a turn and two looks at the clock a sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <eddy/metrics.hpp>

namespace eddy::detail {

/// Adds to a counter that other threads may read: as cheap as ++, since only one thread writes.
inline void bump(std::uint64_t& counter) noexcept {
  __atomic_store_n(&counter, counter + 1, __ATOMIC_RELAXED);
}

struct LoopCounters {
  std::uint64_t turns = 0;
  std::uint64_t polls = 0;  // read by the watchdog
  std::uint64_t thread_hops = 0;
  std::int64_t busy = 0;  // ns
  std::int64_t idle = 0;
  std::int64_t returned_at = 0;  // from the last poll, or the start of the run
  TimeHistogram lag;
  TimeHistogram timer_lag;

  void run_begins(std::int64_t now) noexcept { returned_at = now; }
  /// The loop turns to the kernel: what it did since it came back was work.
  void poll_begins(std::int64_t now) noexcept {
    bump(polls);
    const auto away = now - returned_at;
    busy += away;
    lag.add(Duration::nanoseconds(away));
    returned_at = now;
  }
  void poll_ended(std::int64_t now) noexcept {
    idle += now - returned_at;
    returned_at = now;
  }
};

}  // namespace eddy::detail

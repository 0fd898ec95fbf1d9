// SPDX-License-Identifier: MIT
// What a loop has done and how busy it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <string>
#include <vector>

namespace eddy {

/// How often times of each length came: buckets of powers of two, from a microsecond up.
struct TimeHistogram {
  static constexpr std::size_t kBuckets = 26;

  std::uint64_t counts[kBuckets] = {};  // [i]: of at most 2^i us; the last one: of any length
  std::uint64_t count = 0;
  Duration sum;
  Duration longest;

  void add(Duration length) noexcept;
  /// The upper edge of the bucket with the `share`-th time, 0.99 for the 99th percentile, or the longest time
  /// if that is less. 0 if nothing was counted.
  Duration quantile(double share) const noexcept;
  /// 1us, 2us, 4us, …; Duration::max() for the last.
  static Duration upper_edge(std::size_t bucket) noexcept;
};

/// A loop's counters since it was made, and what it has now.
///
///     auto before = loop.metrics();
///     co_await sleep(1s);
///     auto load = loop.metrics().busy_share(before);   // 0.2: a fifth of the second
struct LoopMetrics {
  std::uint64_t loop = 0;       // the number of the loop in its process: 1, 2, …
  std::uint64_t turns = 0;      // rounds of the ready queue
  std::uint64_t polls = 0;      // looks at the kernel
  std::uint64_t steps = 0;      // of tasks
  std::uint64_t callbacks = 0;  // everything else that ran: call_soon, timers, done callbacks, transfers
  std::uint64_t tasks_made = 0;
  std::uint64_t thread_hops = 0;  // callbacks and results that came from other threads
  std::size_t tasks = 0;          // that have not ended
  std::size_t timers = 0;
  std::size_t descriptors = 0;  // that the kernel watches for the loop
  Duration busy;                // while it ran: time that was not spent asleep in the kernel
  Duration idle;                // time that was
  TimeHistogram lag;            // how long the loop was away from the kernel at a stretch: what became ready
                                // just after a look waited that long
  TimeHistogram timer_lag;      // how late timers were

  /// busy / (busy + idle); 0 before anything ran.
  double busy_share() const noexcept;
  /// The same since `before`, metrics of the same loop.
  double busy_share(const LoopMetrics& before) const noexcept;
};

/// The metrics in the text format of OpenMetrics, which Prometheus reads. Serve it as
/// `application/openmetrics-text; version=1.0.0; charset=utf-8`.
std::string open_metrics_text(const LoopMetrics& metrics);
/// Of several loops, told apart by the label `loop`.
std::string open_metrics_text(const std::vector<LoopMetrics>& loops);

}  // namespace eddy

// SPDX-License-Identifier: MIT
// What the micro programs share: the sizes of each item, so that all of them do the same work, a clock, and
// the output, one line a number: `NAME VALUE`, in nanoseconds unless the name says otherwise.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <random>
#include <vector>

namespace bench {

inline constexpr std::size_t kYields = 4'000'000;  // in all, by however many tasks
inline constexpr std::size_t kSpawnBatch = 1'000, kSpawnRounds = 1'000;
inline constexpr std::size_t kGatherBatch = 100, kGatherRounds = 5'000;
inline constexpr std::size_t kAwaits = 5'000'000;  // levels in all
inline constexpr std::size_t kTimers = 1'000'000;
inline constexpr int kTimerRounds = 3;  // the last is told: by then the memory has been there before
inline constexpr std::size_t kLateSleepers = 10'000;
inline constexpr std::size_t kQueueItems = 3'000'000, kQueueRoom = 128;
inline constexpr std::size_t kLockRounds = 500'000;  // of each of two tasks
inline constexpr std::size_t kPosts = 1'000'000, kProducers = 4;
inline constexpr std::size_t kWaitingTasks = 200'000;
inline constexpr std::size_t kCancels = 100'000;

inline std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

inline void report(const char* name, double value) { std::printf("%s %.2f\n", name, value); }

/// Ends the program when an item did not do the work that it was timed for.
inline void expect(bool done) {
  if (!done) std::abort();
}

inline double resident_bytes() {
  std::ifstream status("/proc/self/statm");
  double total = 0, resident = 0;
  status >> total >> resident;
  return resident * 4096;
}

/// `count` times of day in [0, `span`) ns, the same in each program.
inline std::vector<std::int64_t> random_delays(std::size_t count, std::int64_t span) {
  std::mt19937_64 generator(1);
  std::vector<std::int64_t> delays(count);
  for (auto& delay : delays) delay = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(span));
  return delays;
}

/// How much too late sleepers woke, ns. None may wake early.
class Lateness {
 public:
  void add(std::int64_t due) {
    const auto late = now() - due;
    expect(late >= 0);
    late_.push_back(late);
  }
  void print(std::size_t expected) {
    expect(late_.size() == expected);
    std::sort(late_.begin(), late_.end());
    double sum = 0;
    for (auto late : late_) sum += static_cast<double>(late);
    report("sleep_late_mean_us", sum / static_cast<double>(expected) / 1e3);
    report("sleep_late_p99_us", static_cast<double>(late_[expected * 99 / 100]) / 1e3);
  }

 private:
  std::vector<std::int64_t> late_;
};

/// Prints the time since it was made, divided by the number of operations.
class Stopwatch {
 public:
  void print(const char* name, std::size_t operations) const {
    report(name, static_cast<double>(now() - began_) / static_cast<double>(operations));
  }

 private:
  std::int64_t began_ = now();
};

struct Item {
  const char* name;
  void (*run)();
};

/// `PROGRAM ITEM…` runs these items; without arguments, all.
inline int run_items(int argc, char** argv, std::initializer_list<Item> items) {
  int found = 0;
  for (const auto& item : items) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= std::strcmp(argv[i], item.name) == 0;
    if (!wanted) continue;
    item.run();
    std::fflush(stdout);
    ++found;
  }
  return found > 0 ? 0 : 2;
}

}  // namespace bench

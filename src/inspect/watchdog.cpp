// SPDX-License-Identifier: MIT
#include "inspect/watchdog.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <eddy/events.hpp>
#include <thread>
#include <unordered_map>

#include "base/text.hpp"
#include "inspect/background.hpp"
#include "inspect/sample.hpp"

namespace eddy::detail {
namespace {

using Clock = std::chrono::steady_clock;

// What is known of one loop between two looks.
struct Watched {
  std::uint64_t progress = 0;
  Clock::time_point since{};     // the first look that found it there
  std::int64_t reports = 0;      // of this step
  std::int64_t next_report = 0;  // ns into the step
  std::string task;
};

class Watchdog {
 public:
  // 0: the loops in debug mode alone.
  std::atomic<std::int64_t> limit_of_all{0};

  // How long to wait until the next look.
  std::chrono::milliseconds look() {
    const auto now = Clock::now();
    auto tick = kTick;
    const LoopsLock lock;
    // The whole process stood still, in a debugger or for lack of a processor: nothing is known.
    if (now - looked_at_ > 10 * kTick) watched_.clear();
    looked_at_ = now;
    std::unordered_map<std::uint64_t, Watched> still_there;
    for (Loop* loop = lock.first(); loop; loop = lock.after(*loop)) {
      const auto limit = limit_of(*loop);
      if (limit <= 0 || loop->thread_id() == 0) continue;
      tick = std::clamp(std::chrono::milliseconds(limit / 4'000'000), std::chrono::milliseconds(2), tick);
      auto known = watched_.extract(loop->number());
      auto& watched = still_there[loop->number()];
      if (known) watched = std::move(known.mapped());
      look_at(*loop, watched, limit);
    }
    watched_ = std::move(still_there);
    return tick;
  }

  Duration time_in_step(const Loop& loop, std::uint64_t progress) const noexcept {
    const auto found = watched_.find(loop.number());
    if (found == watched_.end() || found->second.progress != progress) return {};
    return std::chrono::nanoseconds(Clock::now() - found->second.since);
  }

 private:
  std::int64_t limit_of(const Loop& loop) const noexcept {
    const bool debug = loop.debug.load(std::memory_order_relaxed);
    const auto own = debug ? loop.slow_step.load(std::memory_order_relaxed) : 0;
    const auto common = limit_of_all.load(std::memory_order_relaxed);
    return own > 0 && common > 0 ? std::min(own, common) : std::max(own, common);
  }

  void look_at(Loop& loop, Watched& watched, std::int64_t limit) {
    const auto now = Clock::now();
    const auto progress = loop.progress();
    if (progress != watched.progress || loop.is_asleep() || watched.since == Clock::time_point()) {
      if (watched.reports > 0) report_end(loop, watched, now);
      watched = {progress, now, 0, limit, {}};
      return;
    }
    const auto length = std::chrono::nanoseconds(now - watched.since).count();
    if (length < watched.next_report) return;
    report(loop, watched, length);
    watched.next_report = length * 10;
  }

  void report(const Loop& loop, Watched& watched, std::int64_t length) {
    const auto sample = sample_step(loop, watched.progress);
    if (!sample && loop.progress() != watched.progress) return;
    ++watched.reports;
    watched.task = sample && !sample->task.empty() ? "task " + sample->task : "a callback";
    auto text = fmt::format("eddy: {} has blocked loop {} (thread {}) for {} ms\n", watched.task,
                            loop.number(), loop.thread_id(), length / 1'000'000);
    if (sample) {
      for (const auto& line : sample->stack) text += "    " + line + '\n';
    } else {
      text += "    its thread took no signal, so its stack is not known\n";
    }
    std::fwrite(text.data(), 1, text.size(), stderr);
  }

  // In debug mode the loop itself says it, and exactly.
  void report_end(const Loop& loop, const Watched& watched, Clock::time_point now) {
    if (loop.debug.load(std::memory_order_relaxed)) return;
    const std::chrono::duration<double> length = now - watched.since;
    const auto text = fmt::format("eddy: {} blocked loop {} (thread {}) for about {:.2f} s in all\n",
                                  watched.task, loop.number(), loop.thread_id(), length.count());
    std::fwrite(text.data(), 1, text.size(), stderr);
  }

  static constexpr std::chrono::milliseconds kTick{25};
  std::unordered_map<std::uint64_t, Watched> watched_;
  Clock::time_point looked_at_ = Clock::now();
};

// Never destroyed: its thread runs as long as the process.
Watchdog& watchdog() {
  static auto* const one = new Watchdog;
  return *one;
}

void start() {
  static std::atomic<int> runs_in{0};  // the process: a fork has no thread
  if (runs_in.exchange(::getpid()) == ::getpid()) return;
  prepare_sampling();
  run_in_background([] {
    for (;;) std::this_thread::sleep_for(watchdog().look());
  });
}

}  // namespace

void watch_all_loops(Duration limit) {
  watchdog().limit_of_all = limit.count();
  if (limit.count() > 0) start();
}
void watch_debug_loops() { start(); }

Duration time_in_step(const Loop& loop, std::uint64_t progress) noexcept {
  return watchdog().time_in_step(loop, progress);
}

}  // namespace eddy::detail

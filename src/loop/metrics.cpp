// SPDX-License-Identifier: MIT
// The text format: https://prometheus.io/docs/specs/om/open_metrics_spec/
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <eddy/metrics.hpp>

namespace eddy {
namespace {

double seconds(Duration length) noexcept { return static_cast<double>(length.count()) * 1e-9; }

struct Family {
  const char* name;
  const char* type;  // counter, gauge
  const char* unit;  // "" or the last word of the name
  const char* help;
  double (*value)(const LoopMetrics&);
};

constexpr Family kFamilies[] = {
    {"eddy_loop_turns", "counter", "", "Rounds of the ready queue.",
     [](const LoopMetrics& m) { return double(m.turns); }},
    {"eddy_loop_polls", "counter", "", "Looks at the kernel.",
     [](const LoopMetrics& m) { return double(m.polls); }},
    {"eddy_loop_busy_seconds", "counter", "seconds", "Time not spent asleep in the kernel.",
     [](const LoopMetrics& m) { return seconds(m.busy); }},
    {"eddy_loop_idle_seconds", "counter", "seconds", "Time spent asleep in the kernel.",
     [](const LoopMetrics& m) { return seconds(m.idle); }},
    {"eddy_task_steps", "counter", "", "Steps of tasks.",
     [](const LoopMetrics& m) { return double(m.steps); }},
    {"eddy_callbacks", "counter", "", "Callbacks that ran.",
     [](const LoopMetrics& m) { return double(m.callbacks); }},
    {"eddy_tasks_made", "counter", "", "Tasks made.",
     [](const LoopMetrics& m) { return double(m.tasks_made); }},
    {"eddy_thread_hops", "counter", "", "Callbacks and results from other threads.",
     [](const LoopMetrics& m) { return double(m.thread_hops); }},
    {"eddy_tasks", "gauge", "", "Tasks that have not ended.",
     [](const LoopMetrics& m) { return double(m.tasks); }},
    {"eddy_timers", "gauge", "", "Armed timers.", [](const LoopMetrics& m) { return double(m.timers); }},
    {"eddy_descriptors", "gauge", "", "Watched descriptors.",
     [](const LoopMetrics& m) { return double(m.descriptors); }},
};

void add_head(std::string& text, const char* name, const char* type, const char* unit, const char* help) {
  text += fmt::format("# TYPE {} {}\n", name, type);
  if (*unit) text += fmt::format("# UNIT {} {}\n", name, unit);
  text += fmt::format("# HELP {} {}\n", name, help);
}

void add_histogram(std::string& text, const char* name, std::uint64_t loop, const TimeHistogram& histogram) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < TimeHistogram::kBuckets; ++i) {
    below += histogram.counts[i];
    const bool last = i + 1 == TimeHistogram::kBuckets;
    const auto edge = last ? "+Inf" : fmt::format("{:.10g}", seconds(TimeHistogram::upper_edge(i)));
    text += fmt::format("{}_bucket{{loop=\"{}\",le=\"{}\"}} {}\n", name, loop, edge, below);
  }
  text += fmt::format("{0}_sum{{loop=\"{1}\"}} {2}\n{0}_count{{loop=\"{1}\"}} {3}\n", name, loop,
                      seconds(histogram.sum), histogram.count);
}

}  // namespace

Duration TimeHistogram::upper_edge(std::size_t bucket) noexcept {
  return bucket + 1 >= kBuckets ? Duration::max() : Duration::nanoseconds(1000LL << bucket);
}

void TimeHistogram::add(Duration length) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(length.count(), 0));
  const auto microseconds = (ns + 999) / 1000;
  const auto bucket = microseconds <= 1 ? 0 : static_cast<std::size_t>(std::bit_width(microseconds - 1));
  ++counts[std::min(bucket, kBuckets - 1)];
  ++count;
  sum = Duration::nanoseconds(sum.count() + static_cast<std::int64_t>(ns));
  longest = std::max(longest, Duration::nanoseconds(static_cast<std::int64_t>(ns)));
}

Duration TimeHistogram::quantile(double share) const noexcept {
  if (count == 0) return {};
  const auto wanted =
      static_cast<std::uint64_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(count - 1)) + 1;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    below += counts[i];
    if (below >= wanted) return std::min(upper_edge(i), longest);
  }
  return longest;
}

double LoopMetrics::busy_share() const noexcept { return busy_share({}); }

double LoopMetrics::busy_share(const LoopMetrics& before) const noexcept {
  const auto worked = static_cast<double>(busy.count() - before.busy.count());
  const auto slept = static_cast<double>(idle.count() - before.idle.count());
  return worked + slept > 0 ? worked / (worked + slept) : 0;
}

std::string open_metrics_text(const LoopMetrics& metrics) {
  return open_metrics_text(std::vector<LoopMetrics>{metrics});
}

std::string open_metrics_text(const std::vector<LoopMetrics>& loops) {
  std::string text;
  for (const auto& family : kFamilies) {
    add_head(text, family.name, family.type, family.unit, family.help);
    const char* suffix = *family.type == 'c' ? "_total" : "";
    for (const auto& loop : loops) {
      text +=
          fmt::format("{}{}{{loop=\"{}\"}} {:.16g}\n", family.name, suffix, loop.loop, family.value(loop));
    }
  }
  add_head(text, "eddy_loop_lag_seconds", "histogram", "seconds",
           "Stretches between two looks at the kernel.");
  for (const auto& loop : loops) add_histogram(text, "eddy_loop_lag_seconds", loop.loop, loop.lag);
  add_head(text, "eddy_timer_lag_seconds", "histogram", "seconds", "How late timers were.");
  for (const auto& loop : loops) add_histogram(text, "eddy_timer_lag_seconds", loop.loop, loop.timer_lag);
  return text + "# EOF\n";
}

}  // namespace eddy

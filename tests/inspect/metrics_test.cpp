// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>

#include <eddy/eddy.hpp>
#include <thread>

#include "support.hpp"

using eddy::Duration;
using eddy::TimeHistogram;

TEST(TimeHistogram, SortsTimesIntoPowersOfTwo) {
  TimeHistogram histogram;
  for (const auto length :
       {Duration(0ns), Duration(1us), Duration(1001ns), Duration(2us), Duration(3us), Duration(1ms)}) {
    histogram.add(length);
  }
  EXPECT_EQ(histogram.counts[0], 2u);  // up to 1 us
  EXPECT_EQ(histogram.counts[1], 2u);  // up to 2 us
  EXPECT_EQ(histogram.counts[2], 1u);
  EXPECT_EQ(histogram.counts[10], 1u);  // up to 1.024 ms
  EXPECT_EQ(histogram.count, 6u);
  EXPECT_EQ(histogram.sum, Duration(1'007'001ns));
  EXPECT_EQ(histogram.quantile(0), Duration(1us));
  EXPECT_EQ(histogram.quantile(0.5), Duration(2us));
  EXPECT_EQ(histogram.quantile(1), Duration(1ms));
  EXPECT_EQ(TimeHistogram().quantile(0.5), Duration());
}

TEST(TimeHistogram, TakesTimesOfAnyLength) {
  TimeHistogram histogram;
  histogram.add(Duration::nanoseconds(-5));
  histogram.add(Duration(24h));
  histogram.add(Duration::max());
  EXPECT_EQ(histogram.counts[0], 1u);
  EXPECT_EQ(histogram.counts[TimeHistogram::kBuckets - 1], 2u);
  EXPECT_EQ(histogram.longest, Duration::max());
}

ASYNC_TEST(Metrics, CountWhatTheLoopDid) {
  auto& loop = eddy::get_running_loop();
  const auto before = loop.metrics();
  auto task = eddy::create_task(eddy::sleep(1s));
  for (int i = 0; i < 10; ++i) loop.call_soon([] {});
  auto now = loop.metrics();
  EXPECT_EQ(now.tasks_made - before.tasks_made, 1u);
  EXPECT_EQ(now.tasks, before.tasks + 1);
  co_await eddy::sleep(0s);
  now = loop.metrics();
  EXPECT_EQ(now.steps - before.steps, 2u);  // the task's first, and this
  EXPECT_EQ(now.callbacks - before.callbacks, 10u);
  EXPECT_EQ(now.timers, before.timers + 1);
  EXPECT_EQ(now.turns - before.turns, 1u);
  co_await task;
  now = loop.metrics();
  EXPECT_EQ(now.idle.count() - before.idle.count(), 1'000'000'000);  // virtual time
  EXPECT_EQ(now.busy, before.busy);
  EXPECT_EQ(now.timer_lag.count - before.timer_lag.count, 1u);
}

ASYNC_TEST(Metrics, CountTheStepsOfEagerTasksAndOfTasksThatLookAgain) {
  auto& loop = eddy::get_running_loop();
  const auto before = loop.metrics();
  auto nothing = []() -> eddy::Coro<> { co_return; };
  auto eager = eddy::create_task(nothing(), {.eager_start = true});
  EXPECT_EQ(loop.metrics().steps - before.steps, 1u);
  eddy::Queue<int> queue;
  auto getter = eddy::create_task(queue.get());
  co_await eddy::sleep(0s);
  queue.put_nowait(1);
  co_await getter;
  const auto now = loop.metrics();
  EXPECT_EQ(now.steps - before.steps, 5u);  // the eager one's, two of the getter, two of this
  EXPECT_EQ(now.callbacks, before.callbacks);
  co_await eager;
}

// UVL-2, MET-A
TEST(Metrics, TellHowBusyTheLoopIs) {
  auto main = []() -> eddy::Coro<> {
    auto& loop = eddy::get_running_loop();
    const auto before = loop.metrics();
    std::this_thread::sleep_for(20ms);  // what blocks is work, too
    co_await eddy::sleep(20ms);
    const auto after = loop.metrics();
    const auto busy = static_cast<double>(after.busy.count() - before.busy.count());
    const auto idle = static_cast<double>(after.idle.count() - before.idle.count());
    EXPECT_GE(busy, 20e6);
    EXPECT_GE(idle, 15e6);
    EXPECT_NEAR(after.busy_share(before), busy / (busy + idle), 0.01);
    EXPECT_GE(after.lag.longest, Duration(20ms));
  };
  eddy::run(main());
}

BACKEND_TEST(Metrics, CountDescriptorsAndHops) {
  auto& loop = eddy::get_running_loop();
  EXPECT_EQ(loop.metrics().descriptors, 0u);
  auto handler = [](eddy::StreamReader reader, eddy::StreamWriter) -> eddy::Coro<> {
    static_cast<void>(co_await reader.read(1));
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
  EXPECT_EQ(loop.metrics().descriptors, 1u);
  const auto before = loop.metrics().thread_hops;
  auto job = [] {};
  co_await eddy::to_thread(job);
  EXPECT_EQ(loop.metrics().thread_hops - before, 1u);
  server.close();
  EXPECT_EQ(loop.metrics().descriptors, 0u);
}

TEST(Metrics, CountDescriptorsInVirtualTimeToo) {
  auto main = []() -> eddy::Coro<> {
    int ends[2];
    if (::pipe(ends) != 0) eddy::throw_os_error(errno, "pipe");
    auto& loop = eddy::get_running_loop();
    loop.add_reader(ends[0], [] {});
    EXPECT_EQ(loop.metrics().descriptors, 1u);
    loop.remove_reader(ends[0]);
    EXPECT_EQ(loop.metrics().descriptors, 0u);
    ::close(ends[0]);
    ::close(ends[1]);
    co_return;
  };
  eddy::run(main(), {.virtual_time = true});
}

TEST(OpenMetrics, HasEachFamilyOnceAndEndsWithEof) {
  eddy::LoopMetrics a, b;
  a.loop = 1;
  a.steps = 7;
  a.busy = 1500ms;
  a.lag.add(3us);
  b.loop = 2;
  const auto text = eddy::open_metrics_text({a, b});
  EXPECT_NE(text.find("# TYPE eddy_task_steps counter\n# HELP eddy_task_steps Steps of tasks.\n"
                      "eddy_task_steps_total{loop=\"1\"} 7\neddy_task_steps_total{loop=\"2\"} 0\n"),
            text.npos)
      << text;
  EXPECT_NE(text.find("# TYPE eddy_loop_busy_seconds counter\n# UNIT eddy_loop_busy_seconds seconds\n"),
            text.npos);
  EXPECT_NE(text.find("eddy_loop_busy_seconds_total{loop=\"1\"} 1.5\n"), text.npos);
  EXPECT_NE(text.find("eddy_tasks{loop=\"1\"} 0\n"), text.npos);
  EXPECT_NE(text.find("eddy_loop_lag_seconds_bucket{loop=\"1\",le=\"2e-06\"} 0\n"
                      "eddy_loop_lag_seconds_bucket{loop=\"1\",le=\"4e-06\"} 1\n"),
            text.npos)
      << text;
  EXPECT_NE(
      text.find("eddy_loop_lag_seconds_bucket{loop=\"1\",le=\"+Inf\"} 1\n"
                "eddy_loop_lag_seconds_sum{loop=\"1\"} 3e-06\neddy_loop_lag_seconds_count{loop=\"1\"} 1\n"),
      text.npos)
      << text;
  EXPECT_EQ(text.substr(text.size() - 6), "# EOF\n");
}

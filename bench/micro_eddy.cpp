// SPDX-License-Identifier: MIT
// The items of micro_limit.cpp, through eddy's public API and nothing else.
#include <eddy/eddy.hpp>

#include <thread>
#include <utility>

#include "micro.hpp"

namespace {

using bench::expect;
using bench::now;
using bench::Stopwatch;
using eddy::Coro;
using eddy::create_task;
using eddy::Task;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

Coro<> yielder(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await eddy::sleep(0s);
}
Coro<> yields(const char* name, std::size_t tasks) {
  const Stopwatch watch;
  std::vector<Task<>> all;
  for (std::size_t i = 0; i < tasks; ++i) all.push_back(create_task(yielder(bench::kYields / tasks)));
  for (auto& task : all) co_await task;
  watch.print(name, bench::kYields);
}

Coro<int> number(int value) { co_return value; }
Coro<> spawns(const char* name, std::size_t batch, std::size_t rounds) {
  std::size_t sum = 0;
  const Stopwatch watch;
  std::vector<Task<int>> all;
  for (std::size_t round = 0; round < rounds; ++round) {
    all.clear();
    for (std::size_t i = 0; i < batch; ++i) all.push_back(create_task(number(static_cast<int>(i))));
    for (auto& task : all) sum += static_cast<std::size_t>(co_await task);
  }
  watch.print(name, batch * rounds);
  expect(sum == rounds * (batch * (batch - 1) / 2));
}

Coro<> gathers(const char* name, std::size_t batch, std::size_t rounds) {
  std::size_t sum = 0;
  const Stopwatch watch;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<Coro<int>> all;
    all.reserve(batch);
    for (std::size_t i = 0; i < batch; ++i) all.push_back(number(static_cast<int>(i)));
    for (int value : co_await eddy::gather(std::move(all))) sum += static_cast<std::size_t>(value);
  }
  watch.print(name, batch * rounds);
  expect(sum == rounds * (batch * (batch - 1) / 2));
}

[[gnu::noinline]] Coro<int> nested(int depth) {
  if (depth > 1) co_return co_await nested(depth - 1) + 1;
  co_return 1;
}
Coro<> awaits(const char* name, int depth) {
  const std::size_t rounds = bench::kAwaits / static_cast<std::size_t>(depth);
  std::size_t sum = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < rounds; ++i) sum += static_cast<std::size_t>(co_await nested(depth));
  watch.print(name, bench::kAwaits);
  expect(sum == bench::kAwaits);
}

Coro<> timers() {
  auto& loop = eddy::get_running_loop();
  const auto delays = bench::random_delays(bench::kTimers, 10'000'000'000);
  for (int round = 1; round <= bench::kTimerRounds; ++round) {
    std::vector<eddy::TimerHandle> all;
    all.reserve(bench::kTimers);
    const Stopwatch watch;
    for (auto delay : delays) all.push_back(loop.call_later(nanoseconds(delay), [] {}));
    for (auto& timer : all) timer.cancel();
    if (round == bench::kTimerRounds) watch.print("timer_arm_cancel", bench::kTimers);
  }
  co_return;
}

Coro<> sleep_tasks() {
  std::vector<Task<>> all;
  std::size_t cancelled = 0;
  auto sleeper = []() -> Coro<> { co_await eddy::sleep(1h); };
  const Stopwatch arming;
  for (std::size_t i = 0; i < bench::kCancels; ++i) all.push_back(create_task(sleeper()));
  co_await eddy::sleep(0s);
  arming.print("sleep_task_arm", bench::kCancels);
  const Stopwatch cancelling;
  for (auto& task : all) task.cancel();
  for (auto& task : all) {
    try {
      co_await task;
    } catch (const eddy::CancelledError&) {
      ++cancelled;
    }
  }
  cancelling.print("cancel_throw", bench::kCancels);
  expect(cancelled == bench::kCancels);
}

Coro<> lateness() {
  bench::Lateness late;
  auto sleeper = [&](std::int64_t delay) -> Coro<> {
    const auto due = now() + delay;
    co_await eddy::sleep(nanoseconds(delay));
    late.add(due);
  };
  std::vector<Coro<>> all;
  for (auto delay : bench::random_delays(bench::kLateSleepers, 49'000'000)) all.push_back(sleeper(1'000'000 + delay));
  co_await eddy::gather(std::move(all));
  late.print(bench::kLateSleepers);
}

Coro<> queue() {
  eddy::Queue<int> line(bench::kQueueRoom);
  std::size_t sum = 0;
  auto producer = [&]() -> Coro<> {
    for (std::size_t i = 0; i < bench::kQueueItems; ++i) co_await line.put(1);
  };
  auto consumer = [&]() -> Coro<> {
    for (std::size_t i = 0; i < bench::kQueueItems; ++i) sum += static_cast<std::size_t>(co_await line.get());
  };
  const Stopwatch watch;
  co_await eddy::gather(producer(), consumer());
  watch.print("queue_item", bench::kQueueItems);
  expect(sum == bench::kQueueItems);
}

Coro<> lock() {
  eddy::Lock mutex;
  int owner = -1;
  std::size_t handed_over = 0;
  auto locker = [&](int self) -> Coro<> {
    for (std::size_t i = 0; i < bench::kLockRounds; ++i) {
      auto held = co_await mutex;
      handed_over += std::exchange(owner, self) != self;
      co_await eddy::sleep(0s);
    }
  };
  const Stopwatch watch;
  co_await eddy::gather(locker(0), locker(1));
  watch.print("lock_handoff", handed_over);
}

Coro<> post(const char* name, std::size_t producers) {
  auto& loop = eddy::get_running_loop();
  eddy::Event all_posted;
  std::size_t run = 0;
  const Stopwatch watch;
  auto produce = [&] {
    for (std::size_t i = 0; i < bench::kPosts / producers; ++i) {
      loop.call_soon_threadsafe([&] {
        if (++run == bench::kPosts) all_posted.set();
      });
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < producers; ++i) threads.emplace_back(produce);
  co_await all_posted.wait();
  watch.print(name, bench::kPosts);
  for (auto& thread : threads) thread.join();
}

Coro<> memory() {
  eddy::Event event;
  std::vector<Task<>> all;
  all.reserve(bench::kWaitingTasks);
  auto waiter = [&]() -> Coro<> { co_await event.wait(); };
  const double before = bench::resident_bytes();
  for (std::size_t i = 0; i < bench::kWaitingTasks; ++i) all.push_back(create_task(waiter()));
  co_await eddy::sleep(0s);
  bench::report("waiting_task_bytes", (bench::resident_bytes() - before) / bench::kWaitingTasks);
  event.set();
  for (auto& task : all) co_await task;
}

Coro<> nothing() { co_return; }

}  // namespace

int main(int argc, char** argv) {
  return bench::run_items(
      argc, argv,
      {{"yield", [] { eddy::run(yields("yield_1", 1)), eddy::run(yields("yield_100", 100)); }},
       {"spawn", [] { eddy::run(spawns("spawn_join", bench::kSpawnBatch, bench::kSpawnRounds)); }},
       {"await", [] { eddy::run(awaits("await_1", 1)), eddy::run(awaits("await_10", 10)); }},
       {"gather", [] { eddy::run(gathers("gather_100", bench::kGatherBatch, bench::kGatherRounds)); }},
       {"timer", [] { eddy::run(timers()); }},
       {"sleep", [] { eddy::run(sleep_tasks()); }},
       {"late", [] { eddy::run(lateness()); }},
       {"queue", [] { eddy::run(queue()); }},
       {"lock", [] { eddy::run(lock()); }},
       {"post", [] { eddy::run(post("post", 1)); }},
       {"many", [] { eddy::run(post("post_many", bench::kProducers)); }},
       {"memory", [] { eddy::run(memory()); }},
       {"start", [] { eddy::run(nothing()); }}});
}

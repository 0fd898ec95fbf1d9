// SPDX-License-Identifier: MIT
// The items of micro_limit.cpp with Boost.Asio's coroutines on one io_context(1), as its documentation
// writes them.
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <memory>
#include <thread>
#include <utility>

#include "micro.hpp"

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using bench::expect;
using bench::now;
using bench::Stopwatch;
using boost::system::error_code;
using Timer = asio::steady_timer;
template <class Signature>
using Channel = asio::experimental::channel<Signature>;

asio::io_context io(1);

// Waits for a counted batch: the last one cancels a timer that the waiter sleeps on, Asio's usual event.
class Batch {
 public:
  explicit Batch(std::size_t count) : left_(count) {}
  void done() {
    if (--left_ == 0) timer_.cancel();
  }
  awaitable<void> wait() {
    if (left_ > 0) co_await timer_.async_wait(asio::as_tuple(use_awaitable));
  }

 private:
  std::size_t left_;
  Timer timer_{io, Timer::time_point::max()};
};

template <class F>
void run(F body) {
  io.restart();
  asio::co_spawn(io, body(), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  io.run();
}

void yields(const char* name, std::size_t tasks) {
  const Stopwatch watch;
  run([&]() -> awaitable<void> {
    Batch batch(tasks);
    auto yielder = [&](std::size_t count) -> awaitable<void> {
      for (std::size_t i = 0; i < count; ++i) co_await asio::post(io, use_awaitable);
      batch.done();
    };
    for (std::size_t i = 0; i < tasks; ++i) asio::co_spawn(io, yielder(bench::kYields / tasks), asio::detached);
    co_await batch.wait();
  });
  watch.print(name, bench::kYields);
}

awaitable<int> number(int value) { co_return value; }
void spawn() {
  std::size_t sum = 0;
  const Stopwatch watch;
  run([&]() -> awaitable<void> {
    for (std::size_t round = 0; round < bench::kSpawnRounds; ++round) {
      Batch batch(bench::kSpawnBatch);
      for (std::size_t i = 0; i < bench::kSpawnBatch; ++i) {
        asio::co_spawn(io, number(static_cast<int>(i)), [&](std::exception_ptr, int value) {
          sum += static_cast<std::size_t>(value);
          batch.done();
        });
      }
      co_await batch.wait();
    }
  });
  watch.print("spawn_join", bench::kSpawnBatch * bench::kSpawnRounds);
  expect(sum == bench::kSpawnRounds * (bench::kSpawnBatch * (bench::kSpawnBatch - 1) / 2));
}

void gather() {
  std::size_t sum = 0;
  const Stopwatch watch;
  run([&]() -> awaitable<void> {
    using Operation = decltype(asio::co_spawn(io, number(0), asio::deferred));
    for (std::size_t round = 0; round < bench::kGatherRounds; ++round) {
      std::vector<Operation> all;
      for (std::size_t i = 0; i < bench::kGatherBatch; ++i) {
        all.push_back(asio::co_spawn(io, number(static_cast<int>(i)), asio::deferred));
      }
      auto group = asio::experimental::make_parallel_group(std::move(all));
      auto [order, errors, values] = co_await group.async_wait(asio::experimental::wait_for_all(), use_awaitable);
      for (int value : values) sum += static_cast<std::size_t>(value);
    }
  });
  watch.print("gather_100", bench::kGatherBatch * bench::kGatherRounds);
  expect(sum == bench::kGatherRounds * (bench::kGatherBatch * (bench::kGatherBatch - 1) / 2));
}

[[gnu::noinline]] awaitable<int> nested(int depth) {
  if (depth > 1) co_return co_await nested(depth - 1) + 1;
  co_return 1;
}
void awaits(const char* name, int depth) {
  const std::size_t rounds = bench::kAwaits / static_cast<std::size_t>(depth);
  std::size_t sum = 0;
  const Stopwatch watch;
  run([&]() -> awaitable<void> {
    for (std::size_t i = 0; i < rounds; ++i) sum += static_cast<std::size_t>(co_await nested(depth));
  });
  watch.print(name, bench::kAwaits);
  expect(sum == bench::kAwaits);
}

void timers() {
  const auto delays = bench::random_delays(bench::kTimers, 10'000'000'000);
  for (int round = 1; round <= bench::kTimerRounds; ++round) {
    std::vector<Timer> all;
    all.reserve(bench::kTimers);
    std::size_t ended = 0;
    io.restart();
    const Stopwatch watch;
    for (auto delay : delays) {
      all.emplace_back(io, std::chrono::nanoseconds(delay));
      all.back().async_wait([&](error_code) { ++ended; });
    }
    for (auto& timer : all) timer.cancel();
    io.run();
    if (round == bench::kTimerRounds) watch.print("timer_arm_cancel", bench::kTimers);
    expect(ended == bench::kTimers);
  }
}

void sleep_tasks() {
  const auto signals = std::make_unique<asio::cancellation_signal[]>(bench::kCancels);
  std::size_t cancelled = 0;
  run([&]() -> awaitable<void> {
    Batch batch(bench::kCancels);
    auto sleeper = []() -> awaitable<void> {
      Timer timer(io, std::chrono::hours(1));
      co_await timer.async_wait(use_awaitable);
    };
    const Stopwatch arming;
    for (std::size_t i = 0; i < bench::kCancels; ++i) {
      asio::co_spawn(io, sleeper(), asio::bind_cancellation_slot(signals[i].slot(), [&](std::exception_ptr error) {
                       cancelled += error != nullptr;
                       batch.done();
                     }));
    }
    co_await asio::post(io, use_awaitable);
    arming.print("sleep_task_arm", bench::kCancels);
    co_await asio::post(io, use_awaitable);
    const Stopwatch cancelling;
    for (std::size_t i = 0; i < bench::kCancels; ++i) signals[i].emit(asio::cancellation_type::terminal);
    co_await batch.wait();
    cancelling.print("cancel_throw", bench::kCancels);
  });
  expect(cancelled == bench::kCancels);
}

void lateness() {
  bench::Lateness late;
  run([&]() -> awaitable<void> {
    Batch batch(bench::kLateSleepers);
    auto sleeper = [&](std::int64_t delay) -> awaitable<void> {
      const auto due = now() + delay;
      Timer timer(io, std::chrono::nanoseconds(delay));
      co_await timer.async_wait(use_awaitable);
      late.add(due);
      batch.done();
    };
    for (auto delay : bench::random_delays(bench::kLateSleepers, 49'000'000)) {
      asio::co_spawn(io, sleeper(1'000'000 + delay), asio::detached);
    }
    co_await batch.wait();
  });
  late.print(bench::kLateSleepers);
}

void queue() {
  Channel<void(error_code, int)> line(io, bench::kQueueRoom);
  std::size_t sum = 0;
  const Stopwatch watch;
  run([&]() -> awaitable<void> {
    Batch batch(2);
    auto producer = [&]() -> awaitable<void> {
      for (std::size_t i = 0; i < bench::kQueueItems; ++i) co_await line.async_send(error_code(), 1, use_awaitable);
      batch.done();
    };
    auto consumer = [&]() -> awaitable<void> {
      for (std::size_t i = 0; i < bench::kQueueItems; ++i) {
        sum += static_cast<std::size_t>(co_await line.async_receive(use_awaitable));
      }
      batch.done();
    };
    asio::co_spawn(io, producer(), asio::detached);
    asio::co_spawn(io, consumer(), asio::detached);
    co_await batch.wait();
  });
  watch.print("queue_item", bench::kQueueItems);
  expect(sum == bench::kQueueItems);
}

// Asio has no lock for coroutines: a channel with one token stands in.
void lock() {
  Channel<void(error_code)> mutex(io, 1);
  mutex.try_send(error_code());
  int owner = -1;
  std::size_t handed_over = 0;
  const Stopwatch watch;
  run([&]() -> awaitable<void> {
    Batch batch(2);
    auto locker = [&](int self) -> awaitable<void> {
      for (std::size_t i = 0; i < bench::kLockRounds; ++i) {
        co_await mutex.async_receive(use_awaitable);
        handed_over += std::exchange(owner, self) != self;
        co_await asio::post(io, use_awaitable);
        mutex.try_send(error_code());
      }
      batch.done();
    };
    asio::co_spawn(io, locker(0), asio::detached);
    asio::co_spawn(io, locker(1), asio::detached);
    co_await batch.wait();
  });
  watch.print("lock_handoff", handed_over);
}

void post(const char* name, std::size_t producers) {
  std::size_t run_count = 0;
  io.restart();
  auto guard = asio::make_work_guard(io);
  const Stopwatch watch;
  auto produce = [&] {
    for (std::size_t i = 0; i < bench::kPosts / producers; ++i) {
      asio::post(io, [&] {
        if (++run_count == bench::kPosts) guard.reset();
      });
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < producers; ++i) threads.emplace_back(produce);
  io.run();
  watch.print(name, bench::kPosts);
  for (auto& thread : threads) thread.join();
}

void memory() {
  const auto never = std::make_unique<Timer>(io, Timer::time_point::max());
  auto waiter = [&]() -> awaitable<void> { co_await never->async_wait(asio::as_tuple(use_awaitable)); };
  io.restart();
  const double before = bench::resident_bytes();
  for (std::size_t i = 0; i < bench::kWaitingTasks; ++i) asio::co_spawn(io, waiter(), asio::detached);
  io.poll();
  bench::report("waiting_task_bytes", (bench::resident_bytes() - before) / bench::kWaitingTasks);
  never->cancel();
  io.run();
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_items(argc, argv,
                          {{"yield", [] { yields("yield_1", 1), yields("yield_100", 100); }},
                           {"spawn", spawn},
                           {"await", [] { awaits("await_1", 1), awaits("await_10", 10); }},
                           {"gather", gather},
                           {"timer", timers},
                           {"sleep", sleep_tasks},
                           {"late", lateness},
                           {"queue", queue},
                           {"lock", lock},
                           {"post", [] { post("post", 1); }},
                           {"many", [] { post("post_many", bench::kProducers); }},
                           {"memory", memory},
                           {"start", [] { run([]() -> awaitable<void> { co_return; }); }}});
}

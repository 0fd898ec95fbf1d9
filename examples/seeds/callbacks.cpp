// SPDX-License-Identifier: MIT
// Table 1c: callbacks, timers, threads beside the loop.
#include <chrono>
#include <thread>

#include "seed.hpp"

PLAIN_SEED("AIO-41", "call_soon, call_later, call_at and their handles", 5_s,
           "soon at 0\nlater at 2\nat at 3") {
  seed::Loop loop;
  auto tell = [](const char* which) { print(which, "at", seed::seconds_passed()); };
  eddy::Handle soon = loop.call_soon([=] { tell("soon"); });
  eddy::TimerHandle later = loop.call_later(2_s, [=] { tell("later"); });
  const eddy::Duration three = 3_s;
  eddy::TimerHandle at = loop.call_at(loop.time() + std::chrono::nanoseconds(three), [=] { tell("at"); });
  loop.call_later(5_s, [&] { loop.stop(); });
  loop.run_forever();
}

PLAIN_SEED("AIO-42", "call_later: order by time, cancel, stop", 4_s, "task2-1\ntask2-2\ntask2-3") {
  seed::Loop loop;
  auto task2 = [](int i) { print("task2-" + std::to_string(i)); };
  auto fourth = loop.call_later(4_s, [=] { task2(4); });
  loop.call_later(2_s, [=] { task2(2); });
  loop.call_later(3_s, [=] { task2(3); });
  loop.call_later(1_s, [=] { task2(1); });
  fourth.cancel();
  loop.call_later(4_s, [&] { loop.stop(); });
  loop.run_forever();
}

PLAIN_SEED("AIO-43", "a timer due after the loop's end never runs", 1_s, "end") {
  seed::Loop loop;
  loop.call_later(2_s, [] { print("never printed"); });
  loop.run_until_complete(eddy::sleep(1_s));
  loop.close();
  print("end");
}

THREAD_SEED("AIO-44", "call_soon_threadsafe wakes a sleeping loop", 1_s,
            "called on the loop's thread\nat once True") {
  auto& loop = eddy::get_running_loop();
  const auto here = std::this_thread::get_id();
  auto called = loop.create_future<eddy::TimePoint>();
  std::chrono::steady_clock::time_point posted;
  std::thread poster([&, called] {
    seed::blocking_sleep(1_s);
    posted = std::chrono::steady_clock::now();
    loop.call_soon_threadsafe([&, called] {
      if (std::this_thread::get_id() == here) print("called on the loop's thread");
      called.set_result(loop.time());
    });
  });
  co_await called;
  const auto late = std::chrono::steady_clock::now() - posted;
  poster.join();
  print("at once",
        late < std::chrono::milliseconds(20));  // in fact tens of microseconds: see bench/RESULTS.md
}

static Coro<int> answer() {
  co_await eddy::sleep(1_s);
  co_return 42;
}
THREAD_SEED("AIO-45", "run_coroutine_threadsafe from a thread", 2_s, "42\nTimeoutError\ncancelled True") {
  auto& loop = eddy::get_running_loop();
  co_await eddy::to_thread([&loop] {
    auto future = eddy::run_coroutine_threadsafe(answer(), loop);
    print(future.result());
    auto slow = eddy::run_coroutine_threadsafe(answer(), loop);
    try {
      slow.result(1_s / 2);
    } catch (const eddy::TimeoutError&) {
      print("TimeoutError");
    }
    slow.cancel();
    seed::blocking_sleep(1_s / 2);
    print("cancelled", slow.cancelled());
  });
}

static std::string sum_of_squares(std::uint64_t n) {
  unsigned __int128 sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += static_cast<unsigned __int128>(i) * i;
  std::string digits;
  for (; sum > 0; sum /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(sum % 10)));
  return digits;
}
THREAD_SEED("AIO-46", "run_in_executor: a pool, the default pool", any_time,
            "333333283333335000000\n333333283333335000000\nthe loop ticked True") {
  auto& loop = eddy::get_running_loop();
  eddy::ThreadPoolExecutor pool({.max_workers = 2});
  int ticks = 0;
  auto ticker = create_task([&]() -> Coro<> {
    for (;; ++ticks) co_await eddy::sleep(0.01_s);
  });
  const std::string with_a_pool =
      co_await loop.run_in_executor(pool, sum_of_squares, std::uint64_t{10'000'000});
  print(with_a_pool);
  const std::string by_default = co_await loop.run_in_executor(sum_of_squares, std::uint64_t{10'000'000});
  print(by_default);
  ticker.cancel();
  print("the loop ticked", ticks > 0);
}

static std::string fetch(const char* url) {
  seed::blocking_sleep(1_s);
  print("done");
  return url;
}
THREAD_SEED("AIO-48", "to_thread: two blocking fetches overlap", 1_s, "done\ndone\na b\ncontext variables go along: ann") {
  auto [a, b] = co_await eddy::gather(eddy::to_thread(fetch, "a"), eddy::to_thread(fetch, "b"));
  print(a, b);
  static eddy::ContextVar<std::string> user("user", "nobody");
  user.set("ann");
  const std::string seen = co_await eddy::to_thread([] { return user.get(); });
  print("context variables go along:", seen);
}

SEED(
    "AIO-49", "how a task is driven, step by step", 1_s,
    "created\nfirst step on the next turn\nsuspended\nsecond step\nset_result before who waits\nwoken True") {
  auto task = create_task([]() -> Coro<int> {
    print("first step on the next turn");
    co_await eddy::sleep(1_s);
    print("second step");
    co_return 1;
  });
  task.add_done_callback([](Task<int>&) { print("set_result before who waits"); });
  print("created");
  co_await eddy::sleep(0_s);
  print("suspended");
  const int result = co_await task;
  print("woken", result == 1);
}

THREAD_SEED("CS-02", "a CPU function off the loop, and back on its thread", any_time, "True True") {
  const auto here = std::this_thread::get_id();
  const auto there = co_await eddy::to_thread([] { return std::this_thread::get_id(); });
  print(there != here, std::this_thread::get_id() == here);
}

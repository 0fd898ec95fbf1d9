// SPDX-License-Identifier: MIT
// Table 1f: concurrent.futures, on threads. All of it blocks, so all of it runs on the real clock.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>

#include "seed.hpp"

namespace {

int a(int seconds) {
  seed::blocking_sleep(seed::Seconds(seconds));
  return seconds;
}
std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

}  // namespace

PLAIN_THREAD_SEED("EXE-01", "ThreadPoolExecutor(5), ten jobs of 1 s", 2_s,
                  "submitted, none done\nall done 10") {
  eddy::ThreadPoolExecutor pool({.max_workers = 5});
  std::vector<eddy::concurrent::Future<int>> jobs;
  for (int i = 0; i < 10; ++i) jobs.push_back(pool.submit(a, 1));
  bool any = false;
  for (auto& job : jobs) any = any || job.done();
  print("submitted,", any ? "some done" : "none done");
  int sum = 0;
  for (auto& job : jobs) sum += job.result();
  print("all done", sum);
}

PLAIN_THREAD_SEED("EXE-02", "submit, done, result", 3_s, "False\nTrue\n2 1") {
  eddy::ThreadPoolExecutor pool;
  auto one = pool.submit(a, 1), two = pool.submit(a, 2);
  print(one.done());
  seed::blocking_sleep(3_s);
  print(two.done());
  print(two.result(), one.result());
}

PLAIN_THREAD_SEED("EXE-03", "map keeps the order", 4_s, "[3, 2, 4]") {
  eddy::ThreadPoolExecutor pool;
  print(pool.map(a, std::vector<int>{3, 2, 4}));
}

PLAIN_THREAD_SEED("EXE-04", "as_completed gives the quickest first", 4_s, "2\n3\n4") {
  eddy::ThreadPoolExecutor pool;
  std::vector<eddy::concurrent::Future<int>> jobs;
  for (int n : {3, 2, 4}) jobs.push_back(pool.submit(a, n));
  for (auto& job : eddy::concurrent::as_completed(std::move(jobs))) print(job.result());
}

PLAIN_THREAD_SEED("EXE-05", "idle threads stay and take new work", any_time,
                  "3 more threads\n3 more threads\n0 more threads") {
  const auto before = threads();
  auto more = [&] { print(threads() - before, "more threads"); };
  eddy::ThreadPoolExecutor pool({.max_workers = 3});
  pool.map(a, std::vector<int>{1, 1, 1});
  more();
  pool.map(a, std::vector<int>{1, 1, 1});
  more();
  pool.shutdown();
  more();
}

PLAIN_THREAD_SEED("EXE-06", "leaving the block waits for the jobs", 2_s, "job done\nafter the block") {
  {
    eddy::ThreadPoolExecutor pool;
    pool.submit([] {
      seed::blocking_sleep(2_s);
      print("job done");
    });
  }
  print("after the block");
}

PLAIN_THREAD_SEED("EXE-08", "threads are started by need", any_time, "1\n3") {
  const auto before = threads();
  eddy::ThreadPoolExecutor pool({.max_workers = 8});
  auto first = pool.submit(a, 1);
  print(threads() - before);
  auto second = pool.submit(a, 1), third = pool.submit(a, 1);
  print(threads() - before);
}

THREAD_SEED("AIO-47", "wrap_future: a thread's result wakes the loop", 1_s, "waits\n1") {
  eddy::ThreadPoolExecutor pool;
  auto blocking = pool.submit(a, 1);
  eddy::get_running_loop().call_soon([] { print("waits"); });
  const int result = co_await eddy::wrap_future(std::move(blocking));
  print(result);
}

PLAIN_THREAD_SEED("EXE-10", "one thread a queue: its order is kept", any_time, "True True True") {
  std::vector<int> written[3];
  {
    eddy::ThreadPoolExecutor queues[3] = {eddy::ThreadPoolExecutor({.max_workers = 1}),
                                          eddy::ThreadPoolExecutor({.max_workers = 1}),
                                          eddy::ThreadPoolExecutor({.max_workers = 1})};
    for (int i = 0; i < 3000; ++i) {
      queues[i % 3].submit([&written, i] { written[i % 3].push_back(i); });
    }
  }
  auto in_order = [](const std::vector<int>& all) {
    return all.size() == 1000 && std::is_sorted(all.begin(), all.end());
  };
  print(in_order(written[0]), in_order(written[1]), in_order(written[2]));
}

THREAD_SEED("EXE-11", "blocking fetchers, taken as they complete", 2_s,
            "1 at 1\n2 at 2\nthe loop ticked True") {
  int ticks = 0;
  auto ticker = create_task([&]() -> Coro<> {
    for (;; ++ticks) co_await eddy::sleep(0.1_s);
  });
  std::vector<Task<int>> fetches;
  for (int n : {2, 1}) fetches.push_back(create_task(eddy::to_thread(a, n)));
  auto completed = eddy::as_completed(std::move(fetches));
  while (auto task = co_await completed.next()) print(task->result(), "at", seed::seconds_passed());
  ticker.cancel();
  print("the loop ticked", ticks >= 10);
}

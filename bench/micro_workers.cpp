// SPDX-License-Identifier: MIT
// Jobs on threads and in processes, context variables, and the speed-up of work that is split.
#include <eddy/contextvars.hpp>
#include <eddy/cores.hpp>
#include <eddy/eddy.hpp>

#include <array>
#include <string>
#include <thread>

#include "micro.hpp"

using eddy::Coro;

namespace {

int next(int n) { return n + 1; }
std::string same(std::string text) { return text; }

// A number that no optimiser knows, by the same work each time.
std::uint64_t mix(std::uint64_t rounds) {
  std::uint64_t x = 1;
  for (std::uint64_t i = 0; i < rounds; ++i) x = x * 6364136223846793005u + i;
  return x;
}

Coro<> to_thread() {
  constexpr int kJobs = 20'000;
  const auto began = bench::now();
  int n = 0;
  for (int i = 0; i < kJobs; ++i) n = co_await eddy::to_thread(next, n);
  bench::expect(n == kJobs);
  bench::report("to_thread", static_cast<double>(bench::now() - began) / kJobs);
}

void submit() {
  constexpr int kJobs = 200'000;
  eddy::ThreadPoolExecutor pool({.max_workers = 1});
  bench::expect(pool.submit(next, 0).result() == 1);
  const auto began = bench::now();
  std::vector<eddy::concurrent::Future<int>> jobs;
  jobs.reserve(kJobs);
  for (int i = 0; i < kJobs; ++i) jobs.push_back(pool.submit(next, i));
  std::int64_t sum = 0;
  for (auto& job : jobs) sum += job.result();
  bench::expect(sum == static_cast<std::int64_t>(kJobs) * (kJobs + 1) / 2);
  bench::report("submit_and_result", static_cast<double>(bench::now() - began) / kJobs);
}

Coro<> processes() {
  auto& loop = eddy::get_running_loop();
  eddy::ProcessPoolExecutor pool({.max_workers = 1});
  bench::expect(co_await loop.run_in_executor(pool, next, 0) == 1);  // the worker is up
  constexpr int kJobs = 5'000;
  auto began = bench::now();
  int n = 0;
  for (int i = 0; i < kJobs; ++i) n = co_await loop.run_in_executor(pool, next, n);
  bench::expect(n == kJobs);
  bench::report("process_job", static_cast<double>(bench::now() - began) / kJobs);

  constexpr int kLargeJobs = 50;
  const std::string megabyte(1 << 20, 'm');
  began = bench::now();
  for (int i = 0; i < kLargeJobs; ++i) {
    const std::string back = co_await loop.run_in_executor(pool, same, megabyte);
    bench::expect(back.size() == megabyte.size());
  }
  bench::report("process_job_1_mib", static_cast<double>(bench::now() - began) / kLargeJobs);
}

eddy::ContextVar<int> variable("variable");

Coro<> nothing() { co_return; }

Coro<> contexts() {
  constexpr int kTimes = 2'000'000;
  variable.set(1);
  auto began = bench::now();
  std::int64_t sum = 0;
  for (int i = 0; i < kTimes; ++i) {
    sum += variable.get();
    asm volatile("" : "+r"(sum));
  }
  bench::expect(sum == kTimes);
  bench::report("context_get", static_cast<double>(bench::now() - began) / kTimes);

  began = bench::now();
  for (int i = 0; i < kTimes; ++i) variable.set(i);
  bench::report("context_set", static_cast<double>(bench::now() - began) / kTimes);

  constexpr int kTasks = 500'000;
  began = bench::now();
  for (int i = 0; i < kTasks; ++i) co_await eddy::create_task(nothing());
  bench::report("spawn_with_context", static_cast<double>(bench::now() - began) / kTasks);
}

// The same work by one thread and split among as many as there are cores: how much faster the second is.
void speed_up() {
  const auto threads = std::max(2u, std::thread::hardware_concurrency());
  constexpr std::uint64_t kRounds = 100'000'000;
  auto began = bench::now();
  std::uint64_t sum = mix(kRounds);
  const auto alone = bench::now() - began;
  eddy::ThreadPoolExecutor pool({.max_workers = threads});
  began = bench::now();
  std::vector<eddy::concurrent::Future<std::uint64_t>> parts;
  for (unsigned i = 0; i < threads; ++i) parts.push_back(pool.submit(mix, kRounds / threads));
  for (auto& part : parts) sum += part.result();
  asm volatile("" : "+r"(sum));
  bench::report("pool_speed_up_percent", 100.0 * static_cast<double>(alone) / static_cast<double>(bench::now() - began));
}

// Tasks that work and yield, on one loop and on a loop a core: how much faster the second is.
double on_cores(int cores) {
  constexpr int kTasks = 64;
  constexpr std::uint64_t kSteps = 200, kRounds = 10'000;
  const auto began = bench::now();
  eddy::run_on_all_cores(
      [](eddy::Core core) -> Coro<> {
        auto work = []() -> Coro<> {
          for (std::uint64_t step = 0; step < kSteps; ++step) {
            auto x = mix(kRounds);
            asm volatile("" : "+r"(x));
            co_await eddy::sleep(std::chrono::seconds(0));
          }
        };
        std::vector<Coro<>> tasks;
        for (int i = core.index(); i < kTasks; i += core.count()) tasks.push_back(work());
        co_await eddy::gather(std::move(tasks));
      },
      {.cores = cores});
  return static_cast<double>(bench::now() - began);
}

void loops_speed_up() {
  const double alone = on_cores(1);
  bench::report("loops_speed_up_percent", 100 * alone / on_cores(0));
}

Coro<> calls_between_cores(eddy::Core core) {
  if (core.index() != 0) co_return;
  constexpr int kCalls = 20'000;
  const auto other = core.other(1);
  const auto began = bench::now();
  int n = 0;
  for (int i = 0; i < kCalls; ++i) n = co_await other.call(next, n);
  bench::expect(n == kCalls);
  bench::report("call_to_another_core", static_cast<double>(bench::now() - began) / kCalls);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_items(argc, argv,
                          {{"thread", [] { eddy::run(to_thread()), submit(); }},
                           {"process", [] { eddy::run(processes()); }},
                           {"context", [] { eddy::run(contexts()); }},
                           {"cores", [] { eddy::run_on_all_cores(calls_between_cores, {.cores = 2}), loops_speed_up(); }},
                           {"speed_up", &speed_up}});
}

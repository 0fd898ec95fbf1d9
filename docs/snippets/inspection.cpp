// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <csignal>
#include <cstdlib>

using namespace std::chrono_literals;
using eddy::Coro;

static void check(bool fact) {
  if (!fact) std::abort();
}

// [instrument]
/// Counts the steps of each task that is named "worker".
class WorkerSteps final : public eddy::Instrument {
 public:
  void before_task_step(const eddy::AnyTask& task) override { count_ += task.name() == "worker"; }
  int count() const { return count_; }

 private:
  int count_ = 0;
};
// [/instrument]

// [metrics]
Coro<double> load_of_a_moment() {
  auto& loop = eddy::get_running_loop();
  const auto before = loop.metrics();
  co_await eddy::sleep(10ms);
  co_return loop.metrics().busy_share(before);  // 0.2: a fifth of the time
}
// [/metrics]

Coro<> inspection_program() {
  // [signal]
  eddy::get_running_loop().add_signal_handler(SIGUSR2, eddy::print_tasks);
  // [/signal]
  eddy::get_running_loop().remove_signal_handler(SIGUSR2);

  WorkerSteps steps;
  eddy::get_running_loop().add_instrument(steps);
  auto worker = eddy::create_task(eddy::sleep(1ms), {.name = "worker"});
  co_await worker;
  eddy::get_running_loop().remove_instrument(steps);
  check(steps.count() == 2);

  const double load = co_await load_of_a_moment();
  check(load >= 0 && load <= 1);
}

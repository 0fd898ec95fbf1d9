// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/testing.hpp>
#include <fmt/format.h>

#include <stdexcept>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"

namespace eddy::testing {

using detail::Loop;
using detail::ReadyNode;

std::chrono::nanoseconds now() { return get_running_loop().time().time_since_epoch(); }

std::string Log::duration_text(Duration length) { return detail::format_duration(length.count()); }

Coro<> settle() {
  auto& loop = Loop::running();
  // Two turns in a row in which nothing but this step ran: what another thread posted, a signal or a timer
  // that was due stands behind this step in the first of them.
  for (int quiet = 0; quiet < 2;) {
    const auto before = loop.nodes_run;
    co_await sleep(Duration());
    quiet = loop.nodes_run == before + 1 ? quiet + 1 : 0;
  }
}

namespace {

// Cancels a task at its n-th step: before it runs, or after it when it has come to wait.
class CancelAt final : public detail::LoopInstruments {
 public:
  CancelAt(detail::TaskCore& task, std::size_t step, bool after) : task_(task), wanted_(step), after_(after) {}

  void before(ReadyNode& node) noexcept override {
    if (&node != &task_ || task_.waiting()) return;  // waiting: its timer has come, its step is the next turn's
    if (++steps_ == wanted_ && !after_) cancel();
  }
  void after(ReadyNode& node) noexcept override {
    if (&node == &task_ && steps_ == wanted_ && after_ && !came_) cancel();
  }
  bool came() const noexcept { return came_; }

 private:
  void cancel() noexcept { came_ = task_.cancel_task(nullptr); }

  detail::TaskCore& task_;
  std::size_t wanted_, steps_ = 0;
  bool after_, came_ = false;
};

void check_nothing_left(Loop& loop, const std::string& where) {
  std::string left;
  for (auto* node = loop.all_tasks.front(); node != loop.all_tasks.end(); node = node->next) {
    left += "\n  " + detail::describe_await_chain(detail::task_in_list(*node));
  }
  if (!loop.timers.empty()) left += fmt::format("\n  {} timers", loop.timers.size());
  if (!loop.resources.empty()) left += "\n  an open stream or server";
  if (!left.empty()) throw std::logic_error(fmt::format("{} left behind:{}", where, left));
}

// One run. False: the scenario ended before the cancellation came.
bool run_cancelled(const std::function<Coro<>()>& scenario, std::size_t step, bool after) {
  EventLoop loop{{.backend = Backend::simulated}};
  const auto where = fmt::format("a cancellation {} step {}", after ? "after" : "before", step);
  auto main = [](const std::function<Coro<>()>& body) -> Coro<> {
    auto coroutine = body();
    co_await std::move(coroutine);
  };
  auto task = loop.create_task(main(scenario));
  CancelAt sweep(task.core(), step, after);
  loop.impl().instruments = &sweep;
  try {
    auto wait = [](Task<> watched) -> Coro<> {
      try {
        co_await watched;
      } catch (const CancelledError&) {
      }
    };
    loop.run_until_complete(wait(task));
  } catch (const DeadlockError& error) {
    throw std::logic_error(fmt::format("{} hangs: {}", where, error.what()));
  } catch (...) {
    if (!sweep.came()) throw;  // the scenario itself failed
  }
  loop.impl().instruments = nullptr;
  check_nothing_left(loop.impl(), where);
  return sweep.came();
}

}  // namespace

std::size_t cancel_everywhere(const std::function<Coro<>()>& scenario) {
  constexpr std::size_t kMostSteps = 100'000;
  std::size_t runs = 0;
  for (bool after : {false, true}) {
    for (std::size_t step = 1;; ++step) {
      ++runs;
      if (!run_cancelled(scenario, step, after)) break;
      if (step == kMostSteps) throw std::logic_error(fmt::format("the scenario did not end in {} steps", kMostSteps));
    }
  }
  return runs;
}

}  // namespace eddy::testing

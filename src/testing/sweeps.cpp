// SPDX-License-Identifier: MIT
// The sweeps: a scenario again and again, disturbed at another place each time.
#include <eddy/detail/done_group.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/inspect.hpp>
#include <eddy/testing.hpp>
#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <stdexcept>

#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/task_extra.hpp"

namespace eddy::testing {

using detail::Loop;
using detail::ReadyNode;
using detail::TaskCore;

namespace {

constexpr std::size_t kMostPlaces = 100'000;

// Disturbs one run, once.
class Sweep : public detail::LoopInstruments {
 public:
  virtual bool came() const noexcept = 0;
  virtual std::string where() const = 0;
  /// The task that runs the scenario, before the loop runs.
  virtual void watch(TaskCore& main) noexcept = 0;

 protected:
  ~Sweep() = default;
};

// Cancels the scenario's task at its n-th step: before it runs, or after it when it has come to wait.
class CancelAt final : public Sweep {
 public:
  CancelAt(std::size_t step, bool after) : wanted_(step), after_(after) {}

  void watch(TaskCore& main) noexcept override { task_ = &main; }
  void before(ReadyNode& node) noexcept override {
    if (&node != task_ || task_->waiting()) return;  // waiting: its timer has come, its step is the next turn's
    if (++steps_ == wanted_ && !after_) cancel();
  }
  void after(ReadyNode& node) noexcept override {
    if (&node == task_ && steps_ == wanted_ && after_ && !came_) cancel();
  }
  bool came() const noexcept override { return came_; }
  std::string where() const override {
    return fmt::format("a cancellation {} step {}", after_ ? "after" : "before", wanted_);
  }

 private:
  void cancel() noexcept { came_ = task_->cancel_task(nullptr); }

  TaskCore* task_ = nullptr;
  std::size_t wanted_, steps_ = 0;
  bool after_, came_ = false;
};

// Fails the n-th await at the end of which a task goes on.
class FailAt final : public Sweep {
 public:
  FailAt(std::size_t await, std::exception_ptr failure) : wanted_(await), failure_(std::move(failure)) {}

  void watch(TaskCore& main) noexcept override {
    main_ = &main;
    loop_ = main.loop;
  }
  void before(ReadyNode& node) noexcept override {
    TaskCore* task = came_ ? nullptr : find(node);
    if (!task || !goes_on(*task) || ++awaits_ != wanted_) return;
    place_ = detail::describe_await_chain(*task);
    detail::extra_of(*task).failure = failure_;
    task->flags |= detail::kMustCancel;
    came_ = true;
  }
  void after(ReadyNode& node) noexcept override {
    TaskCore* task = came_ ? nullptr : find(node);
    if (task && !task->waiting()) task->WaitNode::ops = nullptr;  // it waits for its turn, not as it did before
  }
  bool came() const noexcept override { return came_; }
  std::string where() const override { return fmt::format("a failure of await {}, at\n  {}\n", wanted_, place_); }

 private:
  // The task of which this is the node; the node may be gone.
  TaskCore* find(const ReadyNode& node) const noexcept {
    auto& all = loop_->all_tasks;
    for (auto* n = all.front(); n != all.end(); n = n->next) {
      TaskCore& task = detail::task_in_list(*n);
      if (static_cast<ReadyNode*>(&task) == &node) return &task;
    }
    return nullptr;
  }
  // Whether an await of the task ends now, and as it should. Not the sweep's own, which awaits the scenario.
  bool goes_on(const TaskCore& task) const noexcept {
    const auto* ops = task.WaitNode::ops;
    const bool is_own = ops == &detail::kFutureWait && task.object == static_cast<detail::FutureCore*>(main_);
    return task.started() && !task.waiting() && !task.must_throw() && !is_own && !(ops && ops->never_fails);
  }

  detail::LoopCore* loop_ = nullptr;
  TaskCore* main_ = nullptr;
  std::size_t wanted_, awaits_ = 0;
  std::exception_ptr failure_;
  std::string place_;
  bool came_ = false;
};

void check_nothing_left(Loop& loop, const std::string& where, SweepOptions options) {
  std::string left;
  for (auto* node = loop.all_tasks.front(); node != loop.all_tasks.end(); node = node->next) {
    left += "\n  " + detail::describe_await_chain(detail::task_in_list(*node));
  }
  if (!loop.timers.empty()) left += fmt::format("\n  {} timers", loop.timers.size());
  for (auto* node = loop.resources.front(); node != loop.resources.end(); node = node->next) {
    const auto& resource = static_cast<const detail::LoopResource&>(*node);
    if (options.cancel_rest && resource.ends_with_loop()) continue;
    left += "\n  open: " + resource.describe();
  }
  if (loop.watched_descriptors > 0) left += fmt::format("\n  {} watched descriptors", loop.watched_descriptors);
  if (!left.empty()) throw std::logic_error(fmt::format("{} left behind:{}", where, left));
}

Coro<> run_scenario(const std::function<Coro<>()>& scenario) {
  auto coroutine = scenario();
  co_await std::move(coroutine);
}

Coro<> await_end(Task<> main, std::exception_ptr& failure) {
  try {
    co_await main;
  } catch (const CancelledError&) {
  } catch (...) {
    failure = std::current_exception();
  }
}

Coro<> cancel_the_rest() {
  std::vector<AnyTask> rest;
  for (auto& task : all_tasks()) {
    if (task != current_task()) rest.push_back(task);
  }
  for (auto& task : rest) task.cancel();
  if (rest.empty()) co_return;
  co_await detail::DoneWait::of(detail::DoneGroup::Until::all_done, rest);
}

// Ends a run on a back end of the kernel's that nothing will end: the loop takes its descriptors for hope, and
// in virtual time this timer comes at once when there is none.
class Patience {
 public:
  Patience(EventLoop& loop, Backend backend) {
    if (backend == Backend::simulated) return;  // it knows by itself: DeadlockError
    timer_ = loop.call_later(std::chrono::hours(24 * 365), [this] {
      waiting_ = format_tasks();
      get_running_loop().stop();
    });
  }
  Patience(const Patience&) = delete;
  ~Patience() {
    if (timer_) timer_->cancel();
  }
  /// The tasks that were left waiting; "" if it did not end the run.
  const std::string& waiting() const noexcept { return waiting_; }

 private:
  std::optional<TimerHandle> timer_;
  std::string waiting_;
};

// Runs it to its end. Throws std::logic_error if it hangs.
void run_to_end(EventLoop& loop, Coro<> coroutine, const Sweep& sweep, Backend backend) {
  Patience patience(loop, backend);
  try {
    loop.run_until_complete(std::move(coroutine));
  } catch (const DeadlockError& error) {
    throw std::logic_error(fmt::format("{} hangs: {}", sweep.where(), error.what()));
  } catch (...) {
    if (patience.waiting().empty()) throw;
    throw std::logic_error(fmt::format("{} hangs:\n{}", sweep.where(), patience.waiting()));
  }
}

// One run. False: the scenario ended before the sweep's place came.
bool run_swept(const std::function<Coro<>()>& scenario, Sweep& sweep, SweepOptions options, std::string* reported) {
  EventLoop loop{{.backend = options.backend, .virtual_time = options.backend != Backend::simulated}};
  auto task = loop.create_task(run_scenario(scenario));
  sweep.watch(task.core());
  loop.impl().instruments = &sweep;
  if (reported) loop.set_exception_handler([&](const ExceptionContext& context) {
    if (sweep.came() && reported->empty()) *reported = context.message;
  });
  std::exception_ptr failure;
  run_to_end(loop, await_end(task, failure), sweep, options.backend);
  if (failure && !sweep.came()) std::rethrow_exception(failure);  // the scenario itself failed
  loop.impl().instruments = nullptr;
  if (options.cancel_rest) run_to_end(loop, cancel_the_rest(), sweep, options.backend);
  check_nothing_left(loop.impl(), sweep.where(), options);
  return sweep.came();
}

void check_places(std::size_t place) {
  if (place == kMostPlaces) throw std::logic_error(fmt::format("the scenario did not end in {} steps", kMostPlaces));
}

}  // namespace

std::size_t cancel_everywhere(const std::function<Coro<>()>& scenario, SweepOptions options) {
  std::size_t runs = 0;
  for (bool after : {false, true}) {
    for (std::size_t step = 1;; ++step) {
      ++runs;
      CancelAt sweep(step, after);
      if (!run_swept(scenario, sweep, options, nullptr)) break;
      check_places(step);
    }
  }
  return runs;
}

std::size_t fail_everywhere(const std::function<Coro<>()>& scenario, std::exception_ptr failure, SweepOptions options) {
  for (std::size_t await = 1;; ++await) {
    FailAt sweep(await, failure);
    std::string reported;
    const bool came = run_swept(scenario, sweep, options, &reported);
    if (!reported.empty() && !options.may_report) throw std::logic_error(fmt::format("{} was lost: {}", sweep.where(), reported));
    if (!came) return await;
    check_places(await);
  }
}

}  // namespace eddy::testing

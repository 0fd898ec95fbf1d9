// SPDX-License-Identifier: MIT
#include "loop/loop.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/frame_origins.hpp"
#include "loop/descriptors.hpp"
#include "loop/report.hpp"
#include "loop/signals.hpp"
#include "loop/step.hpp"

namespace eddy::detail {

constinit thread_local ThreadState this_thread{};
constinit thread_local std::uintptr_t stack_floor = 0;

// Apart from run(), which would lose a register to the frame pointer.
[[gnu::noinline]] static void set_stack_floor() noexcept {
  constexpr std::uintptr_t kStackForNestedStarts = 256 * 1024;
  stack_floor = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - kStackForNestedStarts;
}

void throw_no_task() {
  throw RuntimeError("no running task: eddy's awaitables must be awaited inside a task; start one with eddy::run()");
}
void throw_no_loop() {
  throw RuntimeError("no running event loop on this thread; start one with eddy::run()");
}

Loop::Loop(const LoopOptions& options)
    : backend(make_backend(options, ready, timers)), poll_interval_(backend->is_simulated() ? 1 : static_cast<std::uint64_t>(options.io_poll_interval)) {
  if (options.io_poll_interval < 1) {
    throw ValueError(fmt::format("io_poll_interval is {}: it must be 1 or more", options.io_poll_interval));
  }
  enlist_loop(*this);
}

Loop::~Loop() {
  close();
  delist_loop(*this);
}

void Loop::check_thread_now() const {
  const int runs_on = thread_id();
  const auto here = ::gettid();
  if (runs_on == 0 || runs_on == here) return;
  throw RuntimeError(fmt::format("non-thread-safe operation on an event loop of another thread: the loop runs on thread {}, "
                                 "this is thread {}; use call_soon_threadsafe() or run_coroutine_threadsafe()",
                                 runs_on, here));
}

void check_loop_thread(const LoopCore& loop) { static_cast<const Loop&>(loop).check_thread_now(); }

LoopMetrics Loop::metrics() const noexcept {
  LoopMetrics now;
  now.loop = number();
  now.turns = counters.turns;
  now.polls = counters.polls;
  const bool in_step = this_thread.loop == this && this_thread.task;
  now.steps = steps() + (in_step ? 1 : 0);
  now.callbacks = others_run - steps_called;
  now.tasks_made = tasks_made;
  now.thread_hops = counters.thread_hops;
  now.tasks = task_count();
  now.timers = timers.size();
  now.descriptors = backend->watched();
  now.busy = Duration::nanoseconds(counters.busy + (running_ ? time() - counters.returned_at : 0));
  now.idle = Duration::nanoseconds(counters.idle);
  now.lag = counters.lag;
  now.timer_lag = counters.timer_lag;
  return now;
}

void Loop::check_open() const {
  if (closed_) throw RuntimeError("the event loop is closed");
}

void Loop::arm(WaitNode& timer, std::int64_t when) {
  timers.add(timer, when);
  if (when <= time()) timer_due_ = true;
}

std::int64_t Loop::arm_after(WaitNode& timer, std::int64_t delay) {
  const auto when = delay > 0 ? time() + delay : time();
  timers.add(timer, when);
  if (delay <= 0) timer_due_ = true;
  return when;
}

inline bool Loop::signals_pending() const noexcept { return signals && signals->pending(); }

inline void Loop::run_ready() {
  const auto run_other = [this](ReadyNode& node) {
    this_thread.task = nullptr;
    node.run(node, Dispatch::run);
    ++others_run;
  };
  if (instruments || hooks) [[unlikely]] return run_each([&run_other, watch = instruments](ReadyNode& node) {
    if (watch) watch->before(node);
    run_other(node);
    this_thread.task = nullptr;
    if (watch) watch->after(node);
  });
  run_each([&run_other](ReadyNode& node) {
    if (node.run == &TaskCore::step) [[likely]] return static_cast<TaskCore&>(node).resume();
    if (node.run == &TaskCore::begin) [[likely]] return static_cast<TaskCore&>(node).start();
    run_other(node);
  });
}

template <class Run>
inline void Loop::run_each(Run run) {
  ReadyNode* node = ready.take_all();
  auto count = nodes_run;
  break_off_ = interruption_ != nullptr;
  while (node) {
    ReadyNode* next = node->next_ready;
    run(*node);
    node = next;
    __atomic_store_n(&nodes_run, ++count, __ATOMIC_RELAXED);  // watchers look at it
    if (break_off_) [[unlikely]] break;
  }
  this_thread.task = nullptr;
  ready.put_back(node);
}

inline void Loop::turn() {
  ++counters.turns;
  if (ready.empty() || nodes_run - polled_at_ >= poll_interval_ || signals_pending()) {
    poll();
  } else if (timer_due_) {
    timer_due_ = false;
    timers.expire(time(), &counters.timer_lag);
  }
  run_ready();
}

void Loop::run(bool until_complete) {
  check_open();
  if (this_thread.loop) {
    throw RuntimeError("an event loop already runs on this thread; inside of it, co_await the coroutine instead");
  }
  backend->run_begins();
  this_thread.loop = this;
  set_stack_floor();
  running_ = true;
  if (debug.load(std::memory_order_relaxed)) keep_frame_origins(true);
  until_complete_ = until_complete;
  counters.run_begins(time());
  entry.thread_id.store(::gettid(), std::memory_order_relaxed);
  struct Leave {
    Loop& loop;
    ~Leave() {
      loop.backend->settle();
      loop.entry.thread_id.store(0, std::memory_order_relaxed);
      loop.counters.busy += loop.time() - loop.counters.returned_at;
      this_thread.loop = nullptr;
      keep_frame_origins(false);
      loop.running_ = false;
      loop.stopping_ = false;
    }
  } leave{*this};

  do turn();
  while (!stopping_ && !interruption_);
  if (interruption_) std::rethrow_exception(std::exchange(interruption_, nullptr));
}

void Loop::poll() {
  polled_at_ = nodes_run;
  timer_due_ = false;
  counters.thread_hops += inbox.drain(ready);
  const auto now = time();
  counters.poll_begins(now);
  std::int64_t timeout = 0;
  if (ready.empty() && !stopping_ && !signals_pending()) {
    const auto next = timers.next_wakeup();
    if (next == TimerQueue::kNever) {
      check_deadlock();
      timeout = interruption_ ? 0 : -1;
    } else {
      timeout = next > now ? next - now : 0;
    }
    // With jobs on other threads the virtual clock stands still: their end may come first.
    if (backend->is_simulated() && timeout > 0 && expected_wakeups > 0) timeout = -1;
    if (timeout != 0 && !inbox.fall_asleep()) timeout = 0;
  }
  if (hooks) [[unlikely]] wait_for_kernel(timeout);
  else backend->poll(timeout);
  inbox.awake();
  if (timeout != 0) counters.poll_ended(time());
  counters.thread_hops += inbox.drain(ready);
  if (signals_pending()) signals->deliver(ready);
  if (!timers.empty()) timers.expire(timeout != 0 ? counters.returned_at : time(), &counters.timer_lag);
}

void Loop::wait_for_kernel(std::int64_t timeout) {
  observers->before_io_wait(timeout);
  backend->poll(timeout);
  if (observers) observers->after_io_wait(timeout);
}

void Loop::interrupt(std::exception_ptr error) noexcept {
  if (!interruption_) interruption_ = std::move(error);
  break_off_ = true;
}

void Loop::check_deadlock() {
  if (!until_complete_ || expected_wakeups > 0 || open_io > 0 || watched_descriptors > 0) return;
  if (signals && signals->has_user_handlers()) return;
  // Order matters: 1. the threads, 2. the inbox. A thread that has ended had posted before.
  if (!backend->is_simulated() && (other_threads() > 0 || inbox.has_some())) return;
  if (task_count() == 0) return;
  interrupt(std::make_exception_ptr(DeadlockError(describe_deadlock(*this))));
}

void Loop::post(ReadyNode& node) {
  switch (inbox.push(node)) {
    case Inbox::Pushed::must_wake: return backend->wake();
    case Inbox::Pushed::quietly: return;
    case Inbox::Pushed::closed: node.run(node, Dispatch::discard); check_open();
  }
}

void Loop::close() {
  if (running_) throw RuntimeError("a running event loop cannot be closed; stop() it first");
  if (closed_.exchange(true)) return;
  auto* outer = std::exchange(this_thread.loop, this);
  while (!resources.empty()) {
    auto& resource = static_cast<LoopResource&>(*resources.front());
    resource.unlink();
    resource.loop_closed();
  }
  inbox.close(ready);
  discard_ready();
  // What these destroy may schedule more, which is discarded as well.
  while (!all_tasks.empty()) {
    abandon_tasks();
    discard_ready();
  }
  while (!async_generators.empty()) async_generators.front()->unlink();
  descriptors.clear();
  signals.reset();
  timers.expire(TimerQueue::kNever);
  discard_ready();
  default_executor.reset();
  default_resolver.reset();
  backend->settle();
  this_thread.loop = outer;
}

void Loop::discard_ready() noexcept {
  while (!ready.empty()) {
    for (ReadyNode* node = ready.take_all(); node;) {
      ReadyNode* next = node->next_ready;
      node->run(*node, Dispatch::discard);
      node = next;
    }
  }
}

void Loop::abandon_tasks() noexcept {
  // The end of one wakes another, onto the ready queue: none may die before that is empty again.
  std::vector<AnyTask> abandoned;
  while (!all_tasks.empty()) {
    auto* task = &task_in_list(*all_tasks.front());
    report(fmt::format("task {} was destroyed but it is pending; await or cancel it before its loop closes",
                       describe_task(*task)) +
               describe_maker(*task),
           nullptr, task);
    abandoned.push_back(AnyTask::from_core(*task));
    task->abandon();
  }
  discard_ready();
}

}  // namespace eddy::detail

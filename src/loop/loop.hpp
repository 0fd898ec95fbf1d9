// SPDX-License-Identifier: MIT
// The loop behind EventLoop. One turn: poll if it is time to, then run what was ready when it began.
#pragma once

#include <eddy/detail/task_core.hpp>
#include <eddy/events.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "loop/backend.hpp"
#include "loop/counters.hpp"
#include "loop/inbox.hpp"
#include "loop/instruments.hpp"
#include "loop/registry.hpp"
#include "loop/timers.hpp"

namespace eddy::detail {

struct DescriptorWatch;
class SignalHandlers;

/// Somebody whom the loop has to let go before it is gone: a transport, a server.
struct LoopResource : ListNode {
  virtual void loop_closed() noexcept = 0;
  /// For reports that it was left open.
  virtual std::string describe() const = 0;
  /// It is not lost when nobody has a handle of it: it works until its loop ends.
  virtual bool ends_with_loop() const noexcept { return false; }

 protected:
  ~LoopResource() = default;
};

class Loop final : public LoopCore {
 public:
  explicit Loop(const LoopOptions& options);
  Loop(const Loop&) = delete;
  ~Loop();

  static Loop& of(LoopCore& core) noexcept { return static_cast<Loop&>(core); }
  static Loop& running() { return of(running_loop_core()); }

  std::int64_t time() const noexcept { return backend->now(); }
  void arm(WaitNode& timer, std::int64_t when);
  /// The same `delay` ns from now, 0 or less: now. Gives the time, which it reads once.
  std::int64_t arm_after(WaitNode& timer, std::int64_t delay);
  void disarm(WaitNode& timer) noexcept { timers.remove(timer); }

  /// Runs until stop(). Throws what the loop cannot go on with: KeyboardInterrupt, DeadlockError.
  // Steps are small: aligned, what they cost depends less on where the linker puts it.
  [[gnu::aligned(64)]] void run(bool until_complete);
  void stop() noexcept { stopping_ = true; }
  bool is_running() const noexcept { return running_; }

  /// Throws RuntimeError after close().
  void check_open() const;
  void close();
  bool is_closed() const noexcept { return closed_; }

  /// From any thread. Throws RuntimeError after close().
  void post(ReadyNode& node);

  /// Ends the run that is under way by throwing `error` out of it.
  void interrupt(std::exception_ptr error) noexcept;

  /// Of `hooks`, `instruments`, `task_factory`: the rest of the turn runs under the new ones.
  void watchers_changed() noexcept {
    starts_are_special = hooks != nullptr || task_factory != nullptr;
    break_off_ = true;
  }

  /// Keeps the deadlock report away, and a virtual clock where it is, while another thread will wake the loop.
  void expect_wakeup() noexcept { ++expected_wakeups; }
  void wakeup_came() noexcept { --expected_wakeups; }
  /// Keeps the deadlock report away while a peer can wake the loop. A virtual clock goes on.
  void io_opened() noexcept { ++open_io; }
  void io_closed() noexcept { --open_io; }

  /// A stream or a transport has the descriptor: nobody else may watch it.
  void own_descriptor(int fd, bool on) {
    if (fd < 0) return;
    const auto index = static_cast<std::size_t>(fd);
    if (index >= owned_descriptors.size()) owned_descriptors.resize(index + 64);
    owned_descriptors[index] = on;
  }
  bool owns_descriptor(int fd) const noexcept {
    return static_cast<std::size_t>(fd) < owned_descriptors.size() && owned_descriptors[static_cast<std::size_t>(fd)];
  }

  LoopMetrics metrics() const noexcept;

  /// Throws RuntimeError if another thread runs the loop.
  void check_thread_now() const;
  /// The same in debug mode alone.
  void check_thread() const {
    if (debug.load(std::memory_order_relaxed)) [[unlikely]] check_thread_now();
  }

  // For watchers on other threads, at any time.
  std::uint64_t number() const noexcept { return entry.number; }
  int thread_id() const noexcept { return entry.thread_id.load(std::memory_order_relaxed); }
  bool is_asleep() const noexcept { return inbox.is_asleep(); }
  /// Changes with whatever the loop does. The same twice while it is awake: it is in one step.
  std::uint64_t progress() const noexcept {
    return __atomic_load_n(&nodes_run, __ATOMIC_RELAXED) + __atomic_load_n(&counters.polls, __ATOMIC_RELAXED);
  }

  /// `thrower`: whose coroutines the exception came through; null: the task, or the running one.
  void report(std::string message, std::exception_ptr error, TaskCore* task, const TaskCore* thrower = nullptr) noexcept;
  void report_by_default(const ExceptionContext& context) const noexcept;

  std::unique_ptr<Backend> backend;
  TimerQueue timers;
  Inbox inbox;
  List resources;  // LoopResource
  std::unordered_map<int, std::unique_ptr<DescriptorWatch>> descriptors;  // that were watched for a callback or a task
  std::vector<bool> owned_descriptors;
  std::size_t watched_descriptors = 0;  // those that are now
  std::unique_ptr<SignalHandlers> signals;
  std::shared_ptr<ExceptionHandler> exception_handler;  // null: the default
  std::unique_ptr<TaskFactory> own_task_factory;
  std::shared_ptr<void> default_executor;  // the thread pool, once something asked for it
  bool default_executor_is_shut_down = false;
  std::shared_ptr<void> default_resolver;  // a ResolverCore, once something asked for a name
  EventLoop* facade = nullptr;
  LoopInstruments* instruments = nullptr;
  std::unique_ptr<LoopHooks> observers;  // what `hooks` points to, if anything
  std::atomic<bool> debug{false};                   // read by calls on the wrong thread
  std::atomic<std::int64_t> slow_step{100'000'000};  // ns: slow_callback_duration, for the watchdog
  LoopCounters counters;
  RegisteredLoop entry;
  std::size_t expected_wakeups = 0, open_io = 0;

 private:
  void turn();
  void poll();
  void run_ready();
  template <class Run>
  void run_each(Run run);
  void wait_for_kernel(std::int64_t timeout);
  void check_deadlock();
  bool signals_pending() const noexcept;
  void abandon_tasks() noexcept;
  void discard_ready() noexcept;

  std::uint64_t poll_interval_;
  std::uint64_t polled_at_ = 0;  // nodes_run at the last poll
  bool stopping_ = false;
  bool running_ = false;
  std::atomic<bool> closed_{false};  // read by call_soon_threadsafe()
  bool until_complete_ = false;
  bool break_off_ = false;  // behind the node that runs, go on with a new turn
  bool timer_due_ = false;  // a timer was armed that is due already
  std::exception_ptr interruption_;
};

std::unique_ptr<Backend> make_backend(const LoopOptions& options, const ReadyQueue& ready, const TimerQueue& timers);

/// Threads of this process that could call call_soon_threadsafe(): all but those that are known to sleep.
int other_threads() noexcept;
/// A thread of eddy's pools goes idle, or is no longer.
void thread_idle(bool idle) noexcept;

}  // namespace eddy::detail

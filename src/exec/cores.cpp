// SPDX-License-Identifier: MIT
#include <eddy/cores.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/wait.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <barrier>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "loop/loop.hpp"

namespace eddy::detail {

namespace {

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

void pin_this_thread(int core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);  // refused: it runs wherever it may
}

}  // namespace

// The loops of one run_on_all_cores(). Made and destroyed by the thread that called it; a slot is its thread's, but for
// what `lock` guards.
class CoreGroup {
 public:
  CoreGroup(CoreMain main, CoresOptions options, std::vector<int> places)
      : main_(std::move(main)), options_(options), places_(std::move(places)), slots_(places_.size()), start_(count()), working_(count()) {}

  int count() const noexcept { return static_cast<int>(places_.size()); }

  void run() {
    cpu_set_t before;
    const bool restore = options_.pin && ::sched_getaffinity(0, sizeof before, &before) == 0;
    std::vector<std::thread> threads;
    {
      struct Joined {
        std::vector<std::thread>& threads;
        ~Joined() {
          for (auto& thread : threads) thread.join();
        }
      } joined{threads};
      start_threads(threads);
      run_core(0);
    }
    if (restore) ::sched_setaffinity(0, sizeof before, &before);
    if (first_error_) std::rethrow_exception(first_error_);
  }

  EventLoop& loop(int index) {
    if (index < 0 || index >= count()) {
      throw ValueError(fmt::format("core {}: there are cores 0 to {}", index, count() - 1));
    }
    return slot_of(index).runner->get_loop();
  }

  // Once, and each task on its own loop; one that has ended takes no notice.
  void stop(int but) noexcept {
    if (stopping_.exchange(true)) return;
    for (int index = 0; index < count(); ++index) {
      if (index == but) continue;
      auto& slot = slot_of(index);
      const std::lock_guard guard(lock_);
      if (!slot.running) continue;
      try {
        slot.runner->get_loop().call_soon_threadsafe([task = &slot.main] {
          if (*task) task->cancel();
        });
      } catch (...) {
        // Its loop closes: it is stopping.
      }
    }
  }

 private:
  struct Slot {
    std::optional<Runner> runner;  // made and closed on its thread, destroyed with the group
    AnyTask main;                  // its thread's, as is the event
    Event all_ended{"the other cores to end"};
    bool running = false;          // guarded: its loop takes calls
  };

  Slot& slot_of(int index) noexcept { return slots_[static_cast<std::size_t>(index)]; }

  // All loops are there before any main function begins, since those call one another.
  void start_threads(std::vector<std::thread>& threads) {
    threads.reserve(places_.size());
    try {
      for (int index = 1; index < count(); ++index) threads.emplace_back([this, index] { run_core(index); });
    } catch (...) {
      note_error();
      start_failed_ = true;
      // Those that could not be made arrive by proxy.
      for (auto missing = threads.size() + 1; missing < places_.size(); ++missing) start_.arrive_and_drop();
    }
  }

  void run_core(int index) noexcept {
    auto& slot = slot_of(index);
    if (options_.pin) pin_this_thread(places_[static_cast<std::size_t>(index)]);
    try {
      slot.runner.emplace(RunOptions{.backend = options_.backend, .terminate = index == 0 && options_.terminate});
      const std::lock_guard guard(lock_);
      slot.running = true;
    } catch (...) {
      note_error();
      start_failed_ = true;
    }
    start_.arrive_and_wait();
    try {
      if (!start_failed_) slot.runner->run(run_main(index));
    } catch (...) {
      note_error();
    }
    close(slot);
  }

  void close(Slot& slot) noexcept {
    if (!slot.runner) return;
    {
      const std::lock_guard guard(lock_);
      slot.running = false;
    }
    try {
      slot.runner->close();
    } catch (...) {
      note_error();
    }
  }

  // Runs main() and stays until all have ended, since others may call this core.
  Coro<> run_main(int index) {
    std::exception_ptr error;
    try {
      co_await await_main(index);
    } catch (const CancelledError&) {
      error = std::current_exception();
    } catch (...) {
      error = std::current_exception();
      note_error();
    }
    if (error) stop(index);
    if (--working_ == 0) tell_all_ended();
    Slot& slot = slot_of(index);
    struct Expected {  // another thread will set the event
      Loop& loop;
      explicit Expected(Loop& l) noexcept : loop(l) { loop.expect_wakeup(); }
      ~Expected() { loop.wakeup_came(); }
    } expected(Loop::running());
    while (!slot.all_ended.is_set()) {
      try {
        co_await slot.all_ended.wait();
      } catch (const CancelledError&) {  // Ctrl-C, after main() had ended
        error = std::current_exception();
        stop(index);
      }
    }
    if (error) std::rethrow_exception(error);
  }

  // Cancelled by Ctrl-C, it tells the others before it unwinds.
  Coro<> await_main(int index) {
    Slot& slot = slot_of(index);
    auto coroutine = main_(Core(*this, index));
    Task<> task = create_task(std::move(coroutine), {.name = fmt::format("core {}", index)});
    slot.main = task;
    struct Forget {
      Slot& slot;
      ~Forget() { slot.main = {}; }
    } forget{slot};
    bool cancelled = false;
    try {
      co_await shield(task);
    } catch (const CancelledError&) {
      cancelled = true;
    }
    if (!cancelled) co_return;
    if (current_task().cancelling() > 0) {
      stop(index);
      task.cancel();
    }
    co_await task;
  }

  void tell_all_ended() {
    for (auto& slot : slots_) {
      slot.runner->get_loop().call_soon_threadsafe([&slot] { slot.all_ended.set(); });
    }
  }

  // A cancellation that came from another core is not what ended this.
  void note_error() noexcept {
    const auto error = std::current_exception();
    const std::lock_guard guard(lock_);
    if (!first_error_ || (is_cancellation(first_error_) && !is_cancellation(error))) first_error_ = error;
  }
  static bool is_cancellation(const std::exception_ptr& error) noexcept {
    try {
      std::rethrow_exception(error);
    } catch (const CancelledError&) {
      return true;
    } catch (...) {
      return false;
    }
  }

  CoreMain main_;
  CoresOptions options_;
  std::vector<int> places_;  // the core of each loop
  std::vector<Slot> slots_;
  std::barrier<> start_;
  std::atomic<bool> start_failed_{false}, stopping_{false};
  std::atomic<int> working_;  // main functions that have not ended
  std::mutex lock_;
  std::exception_ptr first_error_;
};

EventLoop& loop_of_core(CoreGroup& group, int index) { return group.loop(index); }
int cores_of(const CoreGroup& group) noexcept { return group.count(); }

void run_cores(CoreMain main, CoresOptions options) {
  if (options.cores < 0) throw ValueError(fmt::format("run_on_all_cores: .cores is {}: it must be 0 or more", options.cores));
  if (this_thread.loop) {
    throw RuntimeError("run_on_all_cores() cannot be called while an event loop runs on this thread");
  }
  auto usable = usable_cores();
  const auto wanted = options.cores == 0 ? usable.size() : static_cast<std::size_t>(options.cores);
  std::vector<int> places(wanted);
  for (std::size_t i = 0; i < wanted; ++i) places[i] = usable[i % usable.size()];
  CoreGroup group(std::move(main), options, std::move(places));
  group.run();
}

}  // namespace eddy::detail

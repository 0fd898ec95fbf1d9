// SPDX-License-Identifier: MIT
#include <eddy/contextvars.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/inspect.hpp>
#include <eddy/runners.hpp>
#include <eddy/wait.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "loop/signals.hpp"
#include "task/task_extra.hpp"

namespace eddy {
namespace {

bool on_main_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

bool has_default_action(int signal) noexcept {
  struct sigaction current {};
  return ::sigaction(signal, nullptr, &current) == 0 && current.sa_handler == SIG_DFL;
}

std::terminate_handler outer_terminate = nullptr;

// A KeyboardInterrupt that main() does not catch ends the process as Ctrl-C ends any other: by the signal,
// which the shell understands, and without a core dump. A SystemExit ends it with its code.
[[noreturn]] void end_as_asked() {
  if (const auto error = std::current_exception()) {
    try {
      std::rethrow_exception(error);
    } catch (const KeyboardInterrupt&) {
      std::fflush(nullptr);
      std::signal(SIGINT, SIG_DFL);
      std::raise(SIGINT);
    } catch (const SystemExit& exit) {
      std::fflush(nullptr);
      std::_Exit(exit.code());
    } catch (...) {
    }
  }
  if (outer_terminate) outer_terminate();
  std::abort();
}

void install_ending() {
  static const bool installed = [] {
    outer_terminate = std::set_terminate(&end_as_asked);
    return true;
  }();
  static_cast<void>(installed);
}

std::exception_ptr exception_of_signal(int signal) {
  if (signal == SIGINT) return std::make_exception_ptr(KeyboardInterrupt());
  return std::make_exception_ptr(SystemExit(128 + signal));
}

// While it lives, Ctrl-C, and SIGTERM if that is wanted, cancels a task; a second one ends the loop.
class InterruptGuard {
 public:
  InterruptGuard(detail::Loop& loop, const AnyTask& main, bool also_terminate) : loop_(loop), main_(main) {
    if (!on_main_thread()) return;
    catch_signal(SIGINT);
    if (also_terminate) catch_signal(SIGTERM);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  ~InterruptGuard() {
    for (int signal : caught_) loop_.signals->remove(signal, true);
  }
  /// The first that came; 0: none.
  int signal() const noexcept { return first_; }

 private:
  void catch_signal(int signal) {
    if (!has_default_action(signal)) return;
    if (!loop_.signals) loop_.signals = std::make_unique<detail::SignalHandlers>(*loop_.backend);
    auto interrupt = [this, signal] {
      if (std::exchange(first_, first_ ? first_ : signal) == 0 && !main_.done()) main_.cancel();
      else loop_.interrupt(exception_of_signal(signal));
    };
    loop_.signals->set(signal, detail::new_callback(static_cast<detail::LoopCore&>(loop_), std::move(interrupt)), true);
    caught_.push_back(signal);
  }

  detail::Loop& loop_;
  AnyTask main_;
  std::vector<int> caught_;
  int first_ = 0;
};

Coro<> wait_for_all(const std::vector<AnyTask>& tasks) {
  using eddy_body [[maybe_unused]] = int;
  co_await detail::DoneWait::of(detail::DoneGroup::Until::all_done, tasks);
}

}  // namespace

Runner::Runner(RunOptions options)
    : loop_({.backend = options.backend, .virtual_time = options.virtual_time, .faults = options.faults}),
      executor_join_(options.executor_join),
      terminate_(options.terminate) {
  if (detail::has_context()) context_ = new Context(copy_context());
  if (options.debug) loop_.set_debug(true);
  if (options.inspect) inspect::serve();
}

Runner::~Runner() {
  const std::unique_ptr<Context> context(context_);
  try {
    close();
  } catch (const BaseException&) {
    // A SystemExit: this destructor runs because one leaves run().
  } catch (...) {
    loop_.call_exception_handler({"closing a runner failed", std::current_exception(), {}});
  }
}

void Runner::check_can_run() const {
  if (detail::this_thread.loop) {
    throw RuntimeError("run() cannot be called while an event loop runs on this thread; co_await the coroutine instead");
  }
  if (closed_) throw RuntimeError("the runner is closed");
}

void Runner::run_main(const AnyTask& main) {
  InterruptGuard guard(loop_.impl(), main, terminate_);
  try {
    loop_.run_until_done(main);
  } catch (const BaseException&) {
    install_ending();
    // Not `throw;`, which keeps the terminate handler of the time when it was thrown first.
    std::rethrow_exception(std::current_exception());
  }
  if (!context_ && main.core().extra && main.core().extra->context.get()) context_ = new Context(main.get_context());
  if (guard.signal() == 0 || !main.cancelled() || main.uncancel() > 0) return;
  install_ending();
  std::rethrow_exception(exception_of_signal(guard.signal()));
}

void Runner::close() {
  if (std::exchange(closed_, true)) return;
  struct Close {
    EventLoop& loop;
    Duration executor_join;
    ~Close() {
      loop.shutdown_default_executor(executor_join);
      loop.close();
    }
  } close_loop{loop_, executor_join_};
  cancel_all_tasks();
  if (!loop_.impl().async_generators.empty()) loop_.run_until_complete(loop_.shutdown_asyncgens());
}

void Runner::cancel_all_tasks() {
  auto& core = static_cast<detail::LoopCore&>(loop_.impl());
  std::vector<AnyTask> tasks;
  for (auto* node = core.all_tasks.front(); node != core.all_tasks.end(); node = node->next) {
    tasks.push_back(AnyTask::from_core(detail::task_in_list(*node)));
  }
  if (tasks.empty()) return;
  for (auto& task : tasks) task.cancel();
  const auto all = loop_.create_task(wait_for_all(tasks));
  std::exception_ptr exit;
  while (!all.done()) {
    try {
      loop_.run_until_done(all);
    } catch (const BaseException&) {  // a SystemExit on its way out through another task: the rest unwinds, too
      if (!exit) exit = std::current_exception();
    }
  }
  for (auto& task : tasks) {
    if (task.cancelled() || !task.exception() || detail::ends_the_loop(task.exception())) continue;
    loop_.call_exception_handler(
        {fmt::format("task {} threw while run() shut down", detail::describe_task(task.core())), task.exception(), task});
  }
  if (exit) std::rethrow_exception(exit);
}

}  // namespace eddy

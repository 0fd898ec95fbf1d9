// SPDX-License-Identifier: MIT
#include "loop/report.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <typeinfo>

#include "loop/loop.hpp"

namespace eddy::detail {
namespace {

std::atomic<int> idle_threads{0};

}  // namespace

void Loop::report(std::string message, std::exception_ptr error, TaskCore* task, const TaskCore* thrower) noexcept {
  try {
    if (!thrower) thrower = task ? task : this_thread.task;
    auto way = thrower && error ? describe_unwinding(*thrower, error) : std::string();
    const ExceptionContext context{std::move(message), std::move(error), task ? AnyTask::from_core(*task) : AnyTask(),
                                   std::move(way)};
    if (facade) facade->call_exception_handler(context);
    else report_by_default(context);
  } catch (...) {
    std::fputs("eddy: an error could not be reported: out of memory\n", stderr);
  }
}

void Loop::report_by_default(const ExceptionContext& context) const noexcept {
  auto text = "eddy: " + context.message;
  if (context.exception) text += "\n  " + describe_exception(context.exception);
  text += context.traceback;
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void report_current_exception(LoopCore* loop, const char* message) noexcept {
  auto error = std::current_exception();
  if (ends_the_loop(error)) Loop::of(*loop).interrupt(std::move(error));
  else Loop::of(*loop).report(message, std::move(error), nullptr);
}

bool ends_the_loop(const std::exception_ptr& error) noexcept {
  const auto* type = error ? error.__cxa_exception_type() : nullptr;
  return type && (*type == typeid(KeyboardInterrupt) || *type == typeid(SystemExit));
}

void thread_idle(bool idle) noexcept {
  // A fork has none of the threads that slept.
  static const int reset_by_fork = ::pthread_atfork(nullptr, nullptr, [] { idle_threads = 0; });
  static_cast<void>(reset_by_fork);
  idle_threads.fetch_add(idle ? 1 : -1, std::memory_order_relaxed);
}

int other_threads() noexcept {
  std::error_code ignored;
  int threads = 0;
  for (std::filesystem::directory_iterator it("/proc/self/task", ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    ++threads;
  }
  if (threads == 0) return 1;  // no /proc: nothing is known, so nothing is claimed
  return threads - 1 - idle_threads.load(std::memory_order_relaxed);
}

}  // namespace eddy::detail

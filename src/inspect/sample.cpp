// SPDX-License-Identifier: MIT
#include "inspect/sample.hpp"

#include <fmt/format.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <eddy/coro.hpp>

#include "base/native_stack.hpp"
#include "base/text.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {
namespace {

// What the handler fills. It is on the asker's stack: the handler takes it out of `wanted` before it looks.
struct Request {
  const Loop* loop = nullptr;
  std::uint64_t progress = 0;

  bool is_same_step = false;
  bool has_task = false;
  SourceLine origin;
  char name[64] = {};
  NativeStack stack;
  sem_t done;
};

std::atomic<Request*> wanted{nullptr};
std::mutex one_at_a_time;
std::atomic<int> signal_number{0};

static_assert(std::atomic<Request*>::is_always_lock_free);

void copy_task(Request& request, const TaskCore& task) noexcept {
  request.has_task = true;
  request.origin = origin_of(task);
  if (!task.extra || NameChange::is_under_way()) return;
  const auto& name = task.extra->name;
  std::memcpy(request.name, name.data(), std::min(name.size(), sizeof request.name - 1));
}

extern "C" void look_at_step(int) {
  const int saved = errno;
  if (Request* request = wanted.exchange(nullptr, std::memory_order_acq_rel)) {
    const bool is_loop = this_thread.loop == static_cast<const LoopCore*>(request->loop);
    request->is_same_step = is_loop && request->loop->progress() == request->progress;
    if (request->is_same_step) {
      request->stack.capture(2);  // without this function and the frame that the kernel made for it
      if (this_thread.task) copy_task(*request, *this_thread.task);
    }
    ::sem_post(&request->done);
  }
  errno = saved;
}

bool wait_for_handler(Request& request) {
  constexpr long kPatience = 100'000'000;  // ns
  timespec until{};
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += kPatience;
  if (until.tv_nsec >= 1'000'000'000) {
    ++until.tv_sec;
    until.tv_nsec -= 1'000'000'000;
  }
  while (::sem_clockwait(&request.done, CLOCK_MONOTONIC, &until) != 0) {
    if (errno == EINTR) continue;
    // Nobody took it: it can be withdrawn. Else the handler runs at this moment, and will be done in a
    // moment.
    Request* mine = &request;
    if (wanted.compare_exchange_strong(mine, nullptr)) return false;
    while (::sem_wait(&request.done) != 0) {
    }
    return true;
  }
  return true;
}

}  // namespace

// A real-time signal that nobody uses, counted from the top: programs count from the bottom.
void prepare_sampling() {
  const std::lock_guard lock(one_at_a_time);
  if (signal_number != 0) return;
  NativeStack::warm_up();
  for (int number = SIGRTMAX - 1; number > SIGRTMIN; --number) {
    struct sigaction current {};
    if (::sigaction(number, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_handler = &look_at_step;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    if (::sigaction(number, &action, nullptr) != 0) continue;
    signal_number = number;
    return;
  }
}

namespace {

// Interrupts the loop's thread and waits for what it says. False: it took no signal, or has gone on.
bool look(Request& request, int thread) {
  ::sem_init(&request.done, 0, 0);
  wanted.store(&request, std::memory_order_release);
  const bool sent = ::syscall(SYS_tgkill, ::getpid(), thread, signal_number.load()) == 0;
  if (!sent) wanted.store(nullptr);
  const bool looked = sent && wait_for_handler(request);
  ::sem_destroy(&request.done);
  return looked && request.is_same_step;
}

// Of a thread that was caught in a stub of the procedure linkage table nothing else is seen: mold and lld say nothing of
// how to unwind those. It leaves them at once.
bool is_cut(const NativeStack& stack) noexcept { return stack.size < 2; }

}  // namespace

std::optional<StepSample> sample_step(const Loop& loop, std::uint64_t progress) {
  const int thread = loop.thread_id();
  if (thread == 0) return std::nullopt;
  const std::lock_guard lock(one_at_a_time);
  if (signal_number == 0) return std::nullopt;
  Request request;
  request.loop = &loop;
  request.progress = progress;
  int tries = 5;
  do {
    if (!look(request, thread)) return std::nullopt;
  } while (is_cut(request.stack) && --tries > 0);
  StepSample sample{"", request.stack.lines()};
  if (request.has_task) {
    const auto name = *request.name ? fmt::format("'{}' ", request.name) : std::string();
    sample.task =
        fmt::format("{}({}, made at {}:{})", name, request.origin.function ? request.origin.function : "?",
                    file_name(request.origin.file), request.origin.line);
  }
  return sample;
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#include "loop/signals.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <mutex>

namespace eddy::detail {
namespace {

constexpr int kSignals = 65;

std::atomic<int> counts[kSignals];              // signals that came and were not delivered
std::atomic<Backend*> owners[kSignals];         // whom to wake
std::mutex registration;

static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Backend*>::is_always_lock_free);

// Two interrupts may wait for the loop; the third means that the loop does not run any more.
constexpr int kInterruptsBeforeDefault = 3;

extern "C" void note_signal(int number) {
  const int saved = errno;
  const int count = counts[number].fetch_add(1) + 1;
  if (number == SIGINT && count >= kInterruptsBeforeDefault) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  SignalHandlers::any_pending.store(true);
  if (auto* backend = owners[number].load()) backend->wake();
  errno = saved;
}

}  // namespace

SignalHandlers::~SignalHandlers() {
  for (int number = 1; number < kSignals; ++number) remove(number);
}

void SignalHandlers::set(int number, CallbackCore* callback, bool internal) {
  callback->repeats = true;
  struct Guard {
    CallbackCore* callback;
    ~Guard() {
      if (callback) callback->release();
    }
  } guard{callback};
  if (number < 1 || number >= kSignals) {
    throw ValueError(fmt::format("signal {}: signal numbers are 1 to {}", number, kSignals - 1));
  }
  const std::lock_guard lock(registration);
  auto* owner = owners[number].load();
  if (owner && owner != &backend_) {
    throw RuntimeError(fmt::format("signal {} ({}) belongs to another event loop", number, ::sigabbrev_np(number)));
  }
  auto& entry = entries_[static_cast<std::size_t>(number)];
  if (entry.callback) {
    entry.callback->cancel();
    entry.callback->release();
    if (!entry.internal) --user_handlers_;
  } else {
    struct sigaction action {};
    action.sa_handler = &note_signal;
    action.sa_flags = SA_RESTART;
    ::sigfillset(&action.sa_mask);
    owners[number].store(&backend_);
    if (::sigaction(number, &action, &entry.previous) != 0) {
      owners[number].store(nullptr);
      const char* name = ::sigabbrev_np(number);
      throw ValueError(fmt::format("signal {} ({}) cannot be caught", number, name ? name : "unknown"));
    }
  }
  entry.callback = std::exchange(guard.callback, nullptr);
  entry.internal = internal;
  if (!internal) ++user_handlers_;
}

bool SignalHandlers::remove(int number) {
  if (number < 1 || number >= kSignals) return false;
  const std::lock_guard lock(registration);
  auto& entry = entries_[static_cast<std::size_t>(number)];
  if (!entry.callback) return false;
  ::sigaction(number, &entry.previous, nullptr);
  owners[number].store(nullptr);
  counts[number].store(0);
  entry.callback->cancel();
  entry.callback->release();
  if (!entry.internal) --user_handlers_;
  entry = {};
  return true;
}

void SignalHandlers::deliver(ReadyQueue& ready) noexcept {
  any_pending.store(false);
  bool for_others = false;
  for (int number = 1; number < kSignals; ++number) {
    if (counts[number].load(std::memory_order_relaxed) == 0) continue;
    auto* callback = entries_[static_cast<std::size_t>(number)].callback;
    if (!callback) {
      for_others = for_others || owners[number].load() != nullptr;
      continue;
    }
    counts[number].store(0);
    if (std::exchange(callback->queued, true)) continue;
    callback->retain();
    ready.push(*callback);
  }
  if (for_others) any_pending.store(true);
}

}  // namespace eddy::detail

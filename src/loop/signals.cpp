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

std::atomic<int> counts[kSignals];                // signals that came and were not delivered
std::atomic<SignalHandlers*> owners[kSignals];    // whom to wake
std::mutex registration;

static_assert(std::atomic<int>::is_always_lock_free && std::atomic<SignalHandlers*>::is_always_lock_free);

// Two interrupts may wait for the loop; the third means that the loop does not run any more.
constexpr int kInterruptsBeforeDefault = 3;

extern "C" void note_signal(int number) {
  const int saved = errno;
  const int count = counts[number].fetch_add(1) + 1;
  if (number == SIGINT && count >= kInterruptsBeforeDefault) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  if (auto* owner = owners[number].load()) owner->note();
  errno = saved;
}

std::string name_of(int number) {
  const char* name = ::sigabbrev_np(number);
  return name ? name : "real-time";
}

}  // namespace

SignalHandlers::~SignalHandlers() {
  for (int number = 1; number < kSignals; ++number) {
    remove(number, true);
    remove(number, false);
  }
}

void SignalHandlers::note() noexcept {
  pending_.store(true);
  backend_.wake();
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
  if (owner && owner != this) {
    throw RuntimeError(fmt::format("signal {} ({}) belongs to another event loop", number, name_of(number)));
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
    owners[number].store(this);
    if (::sigaction(number, &action, &entry.previous) != 0) {
      owners[number].store(nullptr);
      throw ValueError(fmt::format("signal {} ({}) cannot be caught", number, name_of(number)));
    }
  }
  entry.callback = std::exchange(guard.callback, nullptr);
  entry.internal = internal;
  if (!internal) ++user_handlers_;
}

bool SignalHandlers::remove(int number, bool internal) {
  if (number < 1 || number >= kSignals) return false;
  const std::lock_guard lock(registration);
  auto& entry = entries_[static_cast<std::size_t>(number)];
  if (!entry.callback || entry.internal != internal) return false;
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
  pending_.store(false);
  for (int number = 1; number < kSignals; ++number) {
    if (counts[number].load(std::memory_order_relaxed) == 0) continue;
    auto* callback = entries_[static_cast<std::size_t>(number)].callback;
    if (!callback) continue;  // another loop's
    counts[number].store(0);
    if (std::exchange(callback->queued, true)) continue;
    callback->retain();
    ready.push(*callback);
  }
}

}  // namespace eddy::detail

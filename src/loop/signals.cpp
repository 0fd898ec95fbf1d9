// SPDX-License-Identifier: MIT
#include "loop/signals.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <algorithm>
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

}  // namespace

std::string name_of_signal(int number) {
  const char* name = ::sigabbrev_np(number);
  return name ? name : "real-time";
}

SignalHandlers::~SignalHandlers() {
  for (int number = 1; number < kSignals; ++number) {
    auto& entry = entries_[static_cast<std::size_t>(number)];
    for (auto* listener : std::exchange(entry.listeners, {})) {
      listener->closed();
      if (!entry.in_use()) give_back(number);
    }
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
  auto& entry = claim(number);
  if (entry.callback) drop_callback(entry);
  entry.callback = std::exchange(guard.callback, nullptr);
  entry.internal = internal;
  if (!internal) ++user_handlers_;
}

// The signal is this loop's from here on: throws if it cannot be.
SignalHandlers::Entry& SignalHandlers::claim(int number) {
  if (number < 1 || number >= kSignals) {
    throw ValueError(fmt::format("signal {}: signal numbers are 1 to {}", number, kSignals - 1));
  }
  const std::lock_guard lock(registration);
  auto* owner = owners[number].load();
  if (owner && owner != this) {
    throw RuntimeError(fmt::format("signal {} ({}) belongs to another event loop", number, name_of_signal(number)));
  }
  auto& entry = entries_[static_cast<std::size_t>(number)];
  if (entry.in_use()) return entry;
  struct sigaction action {};
  action.sa_handler = &note_signal;
  action.sa_flags = SA_RESTART;
  ::sigfillset(&action.sa_mask);
  owners[number].store(this);
  if (::sigaction(number, &action, &entry.previous) != 0) {
    owners[number].store(nullptr);
    throw ValueError(fmt::format("signal {} ({}) cannot be caught", number, name_of_signal(number)));
  }
  return entry;
}

void SignalHandlers::give_back(int number) noexcept {
  const std::lock_guard lock(registration);
  ::sigaction(number, &entries_[static_cast<std::size_t>(number)].previous, nullptr);
  owners[number].store(nullptr);
  counts[number].store(0);
}

void SignalHandlers::drop_callback(Entry& entry) noexcept {
  entry.callback->cancel();
  entry.callback->release();
  entry.callback = nullptr;
  if (!entry.internal) --user_handlers_;
}

bool SignalHandlers::remove(int number, bool internal) {
  if (number < 1 || number >= kSignals) return false;
  auto& entry = entries_[static_cast<std::size_t>(number)];
  if (!entry.callback || entry.internal != internal) return false;
  drop_callback(entry);
  if (!entry.in_use()) give_back(number);
  return true;
}

void SignalHandlers::listen(int number, SignalListener& listener) { claim(number).listeners.push_back(&listener); }

void SignalHandlers::unlisten(int number, SignalListener& listener) noexcept {
  auto& entry = entries_[static_cast<std::size_t>(number)];
  const auto found = std::find(entry.listeners.begin(), entry.listeners.end(), &listener);
  if (found == entry.listeners.end()) return;
  entry.listeners.erase(found);
  if (!entry.in_use()) give_back(number);
}

void SignalHandlers::deliver(ReadyQueue& ready) noexcept {
  pending_.store(false);
  for (int number = 1; number < kSignals; ++number) {
    if (counts[number].load(std::memory_order_relaxed) == 0) continue;
    auto& entry = entries_[static_cast<std::size_t>(number)];
    if (!entry.in_use()) continue;  // another loop's
    counts[number].store(0);
    auto* callback = entry.callback;
    const bool wanted = callback && !(entry.internal && !entry.listeners.empty());
    if (wanted && !std::exchange(callback->queued, true)) {
      callback->retain();
      ready.push(*callback);
    }
    for (auto* listener : entry.listeners) listener->came(number);
  }
}

}  // namespace eddy::detail

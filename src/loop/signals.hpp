// SPDX-License-Identifier: MIT
// Signals as callbacks of the loop: the C handler notes the number and wakes the loop, no more.
#pragma once

#include <eddy/detail/callback.hpp>

#include <array>
#include <atomic>
#include <csignal>

#include "loop/backend.hpp"

namespace eddy::detail {

/// Signal handlers of one loop. A signal belongs to one loop of the process at a time.
class SignalHandlers {
 public:
  static inline constinit std::atomic<bool> any_pending{false};  // written by the C handler

  explicit SignalHandlers(Backend& backend) noexcept : backend_(backend) {}
  ~SignalHandlers();

  /// Takes the callback over. Throws ValueError for a number that cannot be caught, RuntimeError for one
  /// that another loop has.
  void set(int signal, CallbackCore* callback, bool internal);
  bool remove(int signal);

  /// Whether one has come that was not delivered. Cheap: one relaxed load.
  static bool pending() noexcept { return any_pending.load(std::memory_order_relaxed); }
  void deliver(ReadyQueue& ready) noexcept;

  bool has_user_handlers() const noexcept { return user_handlers_ > 0; }

 private:
  struct Entry {
    CallbackCore* callback = nullptr;
    struct sigaction previous {};
    bool internal = false;
  };
  Backend& backend_;
  std::array<Entry, 65> entries_{};
  int user_handlers_ = 0;
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Signals as callbacks of the loop: the C handler notes the number and wakes the loop, no more.
#pragma once

#include <eddy/detail/callback.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <string>
#include <vector>

#include "loop/backend.hpp"

namespace eddy::detail {

/// Somebody who hears of signals beside the callbacks.
class SignalListener {
 public:
  virtual void came(int number) noexcept = 0;
  /// The loop is closing: it hears no more, and need not unlisten().
  virtual void closed() noexcept = 0;

 protected:
  ~SignalListener() = default;
};

/// "INT", "real-time"
std::string name_of_signal(int number);

/// Signal handlers of one loop. A signal belongs to one loop of the process at a time.
class SignalHandlers {
 public:
  explicit SignalHandlers(Backend& backend) noexcept : backend_(backend) {}
  ~SignalHandlers();

  /// Takes the callback over. Throws ValueError for a number that cannot be caught, RuntimeError for one
  /// that another loop has.
  void set(int signal, CallbackCore* callback, bool internal);
  /// False if there is none, or only one of the other kind: the user's, or run()'s own for Ctrl-C.
  bool remove(int signal, bool internal);

  /// Throws as set(). While anybody listens, run()'s own callback for Ctrl-C is not called.
  void listen(int signal, SignalListener& listener);
  void unlisten(int signal, SignalListener& listener) noexcept;

  /// From the C handler.
  void note() noexcept;
  /// Whether one has come that was not delivered. Cheap: one relaxed load.
  bool pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
  void deliver(ReadyQueue& ready) noexcept;

  bool has_user_handlers() const noexcept { return user_handlers_ > 0; }

 private:
  struct Entry {
    CallbackCore* callback = nullptr;
    std::vector<SignalListener*> listeners;
    struct sigaction previous {};
    bool internal = false;
    bool in_use() const noexcept { return callback || !listeners.empty(); }
  };
  Entry& claim(int signal);
  void give_back(int signal) noexcept;
  void drop_callback(Entry& entry) noexcept;

  Backend& backend_;
  std::atomic<bool> pending_{false};
  std::array<Entry, 65> entries_{};
  int user_handlers_ = 0;
};

}  // namespace eddy::detail

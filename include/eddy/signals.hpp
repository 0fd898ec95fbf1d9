// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <coroutine>
#include <initializer_list>
#include <optional>
#include <utility>

namespace eddy {

namespace detail {
class SignalQueue;
}

/// Signals of the process as something to wait for: `trio.open_signal_receiver`.
///
///     auto stops = eddy::signals({SIGINT, SIGTERM});
///     while (auto number = co_await stops.next()) …
///
/// From here to the end of its life these signals do not have their own effect; Ctrl-C does not cancel run()'s main
/// task. Any number of receivers of one loop may listen to the same signal, beside a handler of add_signal_handler().
/// One that comes several times before next() is given once, as the kernel does it; different ones by number.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> numbers);
  Signals(const Signals&) = delete;
  Signals(Signals&&) noexcept;
  Signals& operator=(Signals&&) noexcept;
  ~Signals();

  class [[nodiscard("co_await it")]] Next;
  /// The number of the next signal. One task at a time: RuntimeError. Cancelled, it loses none.
  Next next();

 private:
  std::shared_ptr<detail::SignalQueue> queue_;
};

class Signals::Next {
 public:
  explicit Next(std::shared_ptr<detail::SignalQueue> queue) noexcept : queue_(std::move(queue)) {}
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> where);
  std::optional<int> await_resume();

 private:
  std::shared_ptr<detail::SignalQueue> queue_;
  bool waited_ = false;
};

/// Listens to signals on the running loop. Throws ValueError for a number that cannot be caught, RuntimeError for one
/// that another loop has.
inline Signals signals(std::initializer_list<int> numbers) { return Signals(numbers); }

}  // namespace eddy

// SPDX-License-Identifier: MIT
// Tests of programs that use eddy: virtual time, and a cancellation or a failure at every place where one can come.
// Test bodies are coroutines; the clock jumps when nothing can run, so a test of an hour takes microseconds.
#pragma once

#include <concepts>
#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/faults.hpp>
#include <eddy/runners.hpp>
#include <eddy/streams.hpp>
#include <eddy/tasks.hpp>
#include <eddy/transports.hpp>
#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace eddy::detail {

/// Whether other tasks could run since it was made.
class Checkpoints {
 public:
  Checkpoints() : loop_(running_loop_core()), steps_(loop_.steps()) {}
  /// Throws std::logic_error unless they could, or could not, as `wanted`.
  void check(bool wanted) const;

 private:
  const LoopCore& loop_;
  std::uint64_t steps_;
};
template <class T>
Coro<T> await_judged(Coro<T> coroutine, bool wanted) {
  const Checkpoints checkpoints;
  if constexpr (std::is_void_v<T>) {
    co_await std::move(coroutine);
    checkpoints.check(wanted);
  } else {
    T value = co_await std::move(coroutine);
    checkpoints.check(wanted);
    co_return value;
  }
}

}  // namespace eddy::detail

namespace eddy::testing {

/// Runs a test body on the simulated back end. Throws what it throws; DeadlockError if it can never go on.
template <detail::Awaitable A>
auto run(A&& awaitable, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return eddy::run(std::forward<A>(awaitable), {.backend = Backend::simulated}, file, line);
}

/// Virtual time since the loop began: `CHECK(now() == 5s)` is the strongest check of scheduling there is.
std::chrono::nanoseconds now();

/// Suspends until every other task is blocked and no callback is ready. No time passes.
Coro<> settle();

/// Awaits something that must throw an E, and gives it. Throws std::logic_error if it does not throw.
template <class E, detail::Awaitable A>
Coro<E> error_of(A awaitable) {
  try {
    static_cast<void>(co_await std::move(awaitable));
  } catch (const E& error) {
    co_return error;
  }
  throw std::logic_error("expected an exception, and none came");
}
template <class E, class T>
Coro<E> error_of(Coro<T> coroutine) {
  try {
    co_await std::move(coroutine);
  } catch (const E& error) {
    co_return error;
  }
  throw std::logic_error("expected an exception, and none came");
}

/// Awaits a coroutine that must let other tasks run at least once before it ends, and gives its value. Throws
/// std::logic_error if it did not. An exception of the coroutine's passes. As `trio.testing.assert_checkpoints`.
template <class T>
Coro<T> assert_checkpoints(Coro<T> coroutine) {
  return detail::await_judged(std::move(coroutine), true);
}
/// The contrary: it must end without a pause.
template <class T>
Coro<T> assert_no_checkpoints(Coro<T> coroutine) {
  return detail::await_judged(std::move(coroutine), false);
}

/// What happened, in order, as text to compare: `log("a", 1)`, then `log.str() == "a 1"`; entries are
/// separated by ", ".
class Log {
 public:
  template <class... Words>
  void operator()(const Words&... words) {
    std::string entry;
    (add(entry, words), ...);
    entries_ += entries_.empty() ? entry : ", " + entry;
  }
  const std::string& str() const noexcept { return entries_; }
  friend bool operator==(const Log& log, std::string_view text) noexcept { return log.entries_ == text; }

 private:
  static void separate(std::string& entry) {
    if (!entry.empty()) entry += ' ';
  }
  static void add(std::string& entry, std::string_view word) { separate(entry), entry += word; }
  static void add(std::string& entry, const char* word) { add(entry, std::string_view(word)); }
  static void add(std::string& entry, char word) { add(entry, std::string_view(&word, 1)); }
  template <class N>
    requires std::is_arithmetic_v<N>
  static void add(std::string& entry, N word) {
    add(entry, std::string_view(std::to_string(word)));
  }
  template <class Rep, class Period>
  static void add(std::string& entry, std::chrono::duration<Rep, Period> word) {
    add(entry, duration_text(Duration(word)));
  }
  static std::string duration_text(Duration length);
  std::string entries_;
};

/// Brings steps of several tasks into an order: `trio.testing.Sequencer`.
///
///     auto turn = co_await sequencer(0);   // in one task
///     auto turn = co_await sequencer(1);   // in another: waits until the first one's turn has ended
///
/// A turn ends with its guard. Throws RuntimeError for a number that was taken before. If a task gives up while it
/// waits for its turn, those after it get RuntimeError, since the order cannot be kept.
class Sequencer {
 public:
  Sequencer();
  Sequencer(const Sequencer&) = delete;
  ~Sequencer();

  class [[nodiscard("the turn ends when it goes")]] Turn {
   public:
    explicit Turn(Sequencer& owner) noexcept : owner_(&owner) {}
    Turn(Turn&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    ~Turn() {
      if (owner_) owner_->next();
    }

   private:
    Sequencer* owner_;
  };
  Coro<Turn> operator()(int number);

 private:
  void next() noexcept;
  struct State;
  std::unique_ptr<State> state_;
};

/// Two connected ends in memory: what one writes the other reads. `room`: bytes on the way before a writer
/// has to wait; `piece`: the most that arrives at once (1: every byte by itself).
struct StreamPair {
  Streams near, far;
};
struct PairOptions {
  std::size_t room = 64 * 1024;
  std::size_t piece = static_cast<std::size_t>(-1);
  std::size_t limit = 64 * 1024;
};
StreamPair stream_pair(PairOptions options = {});

/// A protocol on one end of a connection in memory, streams on the other: what the protocol does is tested without a
/// network, in virtual time.
///
///     auto [connection, peer] = co_await connect_protocol([] { return std::make_unique<Echo>(); });
///     peer.writer.write("hello");
template <class P>
struct ProtocolPair {
  Connection<P> connection;
  Streams peer;
};
/// The untyped part of it.
struct TransportPair {
  TransportPtr transport;
  Streams peer;
};
Coro<TransportPair> connect_transport(detail::FactoryPtr factory, PairOptions options);

template <class F, class P = typename detail::FactoryOf<F>::Product>
Coro<ProtocolPair<P>> connect_protocol(F factory, PairOptions options = {}) {
  auto kept = detail::stream_factory(std::move(factory));
  auto pair = co_await connect_transport(kept, options);
  co_return ProtocolPair<P>{{std::move(pair.transport), kept->last()}, std::move(pair.peer)};
}

/// Two datagram sockets connected in memory. `room`: datagrams on the way before a sender has to wait.
struct DatagramPair {
  DatagramSocket near, far;
};
DatagramPair datagram_pair(std::size_t room = 64);

struct SweepOptions {
  /// What still runs when the scenario has ended is cancelled and waited for, as run() does; else it must not.
  bool cancel_rest = false;
  /// A failure may end in the loop's exception handler: that of a server's connection does.
  bool may_report = false;
  /// For scenarios with sockets and threads: one that waits for the kernel. Its clock is virtual all the same, so a
  /// run that hangs is found at once; what it does between two waits is the kernel's to order.
  Backend backend = Backend::simulated;
};

/// Runs `scenario()`, a function that makes a coroutine, again and again, each time on a new loop, a simulated one
/// unless the options say otherwise, with its main task cancelled at another place: before its n-th step, and after it while it waits.
///
/// Each run must end, by whatever exception, and leave no task, timer, stream or watched descriptor behind: throws
/// std::logic_error that says where the cancellation came and what was left. Gives the number of runs.
std::size_t cancel_everywhere(const std::function<Coro<>()>& scenario, SweepOptions options = {});

/// Runs `scenario()` again and again, each time with another await of any of its tasks throwing `failure` in the
/// place of its normal end: the n-th await, in order of time, at which a task had come to wait. What only other
/// tasks can end is not failed: the end of a task group.
///
/// Each run must end and leave nothing behind, as of cancel_everywhere(), and the failure must be thrown by the
/// scenario or handled in it: one that reaches the loop's exception handler is told of by std::logic_error, unless the
/// options allow it. Gives
/// the number of runs.
std::size_t fail_everywhere(const std::function<Coro<>()>& scenario, std::exception_ptr failure,
                            SweepOptions options = {});
/// The same with an exception: `fail_everywhere(scenario, OSError(ECONNRESET, "read"))`.
template <class E>
  requires(!std::same_as<E, std::exception_ptr>)
std::size_t fail_everywhere(const std::function<Coro<>()>& scenario, E failure, SweepOptions options = {}) {
  return fail_everywhere(scenario, std::make_exception_ptr(std::move(failure)), options);
}

}  // namespace eddy::testing

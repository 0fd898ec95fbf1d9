// SPDX-License-Identifier: MIT
// Twisted's reactor and what stands on its clock (twisted.internet.reactor, task, threads).
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/events.hpp>
#include <eddy/threads.hpp>
#include <eddy/twisted/deferred.hpp>
#include <eddy/twisted/protocols.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace eddy::twisted {

/// Calls a function again and again: task.LoopingCall. A Deferred that it returns is waited for.
///
///     LoopingCall call([] { std::puts("tick"); });
///     call.start(1s);
class LoopingCall {
 public:
  template <class F>
  explicit LoopingCall(F f) : function_([f = std::move(f)]() mutable { return maybe_deferred(f); }) {}
  LoopingCall(const LoopingCall&) = delete;
  LoopingCall& operator=(const LoopingCall&) = delete;
  ~LoopingCall();

  /// The first call at once, or with `now` false after one interval; then at whole intervals from the start. A call that
  /// takes longer than one skips those that it missed. The Deferred gets stop()'s call, or what the function threw, which
  /// ends it. Throws RuntimeError if it runs, ValueError below 0.
  Deferred start(Duration interval, bool now = true);
  /// Throws RuntimeError if it does not run.
  void stop();
  bool running() const noexcept { return running_; }
  /// The interval starts anew: reset().
  void reset();

 private:
  void call();
  void schedule();
  std::function<Deferred()> function_;
  Duration interval_;
  TimePoint started_;
  TimerHandle timer_;
  Deferred done_;
  std::shared_ptr<LoopingCall*> self_;  // null for a call that is still under way when this is gone
  bool running_ = false;
};

/// `f()` after a while, as a Deferred; cancel() prevents it: task.deferLater.
template <class F>
Deferred defer_later(Duration delay, F f) {
  auto timer = std::make_shared<TimerHandle>();
  Deferred deferred([timer](Deferred&) { timer->cancel(); });
  deferred.add_callback(std::move(f));
  *timer = get_running_loop().call_later(delay, [deferred]() mutable { deferred.callback(); });
  return deferred;
}

/// `f(args…)` on a thread of the loop's pool: threads.deferToThread.
template <class F, class... Args>
Deferred defer_to_thread(F f, Args... args) {
  return inline_callbacks(to_thread(std::move(f), std::move(args)...));
}

/// A loop as Twisted's programs know it: schedule first, then run(). `twisted.internet.reactor`.
class Reactor {
 public:
  explicit Reactor(LoopOptions options = {}) : loop_(options) {}

  /// Runs until stop(). What call_when_running() was given comes first.
  void run() { loop_.run_forever(); }
  void stop() { loop_.stop(); }
  bool running() const noexcept { return loop_.is_running(); }
  EventLoop& loop() noexcept { return loop_; }

  template <class F>
  TimerHandle call_later(Duration delay, F f) {
    return loop_.call_later(delay, std::move(f));
  }
  template <class F>
  void call_when_running(F f) {
    loop_.call_soon(std::move(f));
  }
  /// From any thread.
  template <class F>
  void call_from_thread(F f) {
    loop_.call_soon_threadsafe(std::move(f));
  }
  /// The Deferred gets the Server: reactor.listenTCP.
  Deferred listen_tcp(int port, std::shared_ptr<Factory> factory, std::string interface = "");
  /// The factory is told; the Deferred gets the Protocol*: reactor.connectTCP.
  Deferred connect_tcp(std::string host, int port, std::shared_ptr<Factory> factory);

 private:
  EventLoop loop_;
};

}  // namespace eddy::twisted

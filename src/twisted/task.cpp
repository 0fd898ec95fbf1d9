// SPDX-License-Identifier: MIT
#include <eddy/twisted/task.hpp>

namespace eddy::twisted {

LoopingCall::~LoopingCall() {
  timer_.cancel();
  if (self_) *self_ = nullptr;
}

Deferred LoopingCall::start(Duration interval, bool now) {
  if (running_) throw RuntimeError("LoopingCall: it runs already");
  if (interval.count() < 0) throw ValueError("LoopingCall: the interval must not be below 0");
  running_ = true;
  interval_ = interval;
  done_ = Deferred();
  started_ = get_running_loop().time();
  self_ = std::make_shared<LoopingCall*>(this);
  const auto result = done_;
  if (now) call();
  else schedule();
  return result;
}

void LoopingCall::stop() {
  if (!running_) throw RuntimeError("LoopingCall: it does not run");
  running_ = false;
  // While a call is under way, its end is waited for.
  if (!timer_) return;
  std::exchange(timer_, {}).cancel();
  auto done = done_;
  done.callback();
}

void LoopingCall::reset() {
  if (!running_) throw RuntimeError("LoopingCall: it does not run");
  if (!timer_) return;
  std::exchange(timer_, {}).cancel();
  started_ = get_running_loop().time();
  schedule();
}

void LoopingCall::call() {
  timer_ = {};
  const auto self = self_;
  auto on_value = [self] {
    if (!*self) return;
    auto& call = **self;
    if (call.running_) return call.schedule();
    auto done = call.done_;
    done.callback();
  };
  auto on_error = [self](const Failure& failure) {
    if (!*self) failure.raise();
    (*self)->running_ = false;
    auto done = (*self)->done_;
    done.errback(failure);
  };
  auto called = function_();
  called.add_callbacks(std::move(on_value), std::move(on_error));
}

// At the next whole interval from the start.
void LoopingCall::schedule() {
  auto& loop = get_running_loop();
  std::chrono::nanoseconds wait(0);
  if (const auto length = interval_.count(); length > 0) {
    const auto past = (loop.time() - started_).count();
    wait = std::chrono::nanoseconds(length - past % length);
  }
  timer_ = loop.call_later(wait, [this] { call(); });
}

Deferred Reactor::listen_tcp(int port, std::shared_ptr<Factory> factory, std::string interface) {
  return from_future(loop_.create_task(twisted::listen_tcp(std::move(factory), std::move(interface), port)));
}
Deferred Reactor::connect_tcp(std::string host, int port, std::shared_ptr<Factory> factory) {
  return from_future(loop_.create_task(twisted::connect_tcp(std::move(factory), std::move(host), port)));
}

}  // namespace eddy::twisted

// SPDX-License-Identifier: MIT
#include "inspect/observers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <eddy/events.hpp>

#include "base/frame_origins.hpp"
#include "base/native_stack.hpp"
#include "inspect/watchdog.hpp"
#include "loop/report.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {
namespace {

std::int64_t steady_now() noexcept {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// "f()::{lambda()#1}" of the function that a Callback<F> calls it by.
std::string callable_name(const void* invoke) {
  const auto name = function_at(invoke);
  constexpr std::string_view kBefore = "eddy::detail::Callback<", kAfter = ">::Callback(";
  const auto begin = name.find(kBefore);
  const auto end = name.find(kAfter, begin == name.npos ? 0 : begin);
  if (begin == name.npos || end == name.npos) return name.empty() ? "?" : name;
  return name.substr(begin + kBefore.size(), end - begin - kBefore.size());
}

Duration length_of(std::int64_t timeout) noexcept {
  return timeout < 0 ? Duration::max() : Duration::nanoseconds(timeout);
}

}  // namespace

Observers& Observers::of(Loop& loop) {
  if (!loop.observers) loop.observers.reset(new Observers(loop));
  return static_cast<Observers&>(*loop.observers);
}

void Observers::connect() noexcept {
  loop_.hooks = debug_ || !instruments_.empty() ? this : nullptr;
  loop_.instruments = debug_ ? this : nullptr;
  loop_.watchers_changed();
}

void Observers::add(Instrument& instrument) {
  if (std::find(instruments_.begin(), instruments_.end(), &instrument) == instruments_.end()) {
    instruments_.push_back(&instrument);
  }
  connect();
}

void Observers::remove(Instrument& instrument) noexcept {
  std::erase(instruments_, &instrument);
  connect();
}

void Observers::set_debug(bool on) noexcept {
  debug_ = on;
  began_ = 0;
  stepped_ = {};
  loop_.debug = on;
  if (this_thread.loop == &loop_) keep_frame_origins(on);
  connect();
}

// An instrument may remove itself or others while it is told.
template <class F>
void Observers::tell_all(F tell) noexcept {
  for (std::size_t i = 0; i < instruments_.size(); ++i) {
    auto* const instrument = instruments_[i];
    try {
      tell(*instrument);
    } catch (...) {
      remove(*instrument);
      report_current_exception(&loop_, "an instrument threw and was removed");
    }
    if (i < instruments_.size() && instruments_[i] != instrument) --i;
  }
}

void Observers::made(TaskCore& task) noexcept {
  if (debug_) {
    auto stack = std::make_unique<NativeStack>();
    stack->capture(2);
    extra_of(task).made_by = std::move(stack);
  }
  if (!instruments_.empty())
    tell_all([handle = AnyTask::from_core(task)](Instrument& one) { one.task_made(handle); });
}

void Observers::ended(TaskCore& task) noexcept {
  if (!instruments_.empty())
    tell_all([handle = AnyTask::from_core(task)](Instrument& one) { one.task_ended(handle); });
}

void Observers::before_step(TaskCore& task) noexcept {
  if (debug_) stepped_ = AnyTask::from_core(task);
  if (!instruments_.empty())
    tell_all([handle = AnyTask::from_core(task)](Instrument& one) { one.before_task_step(handle); });
}

void Observers::after_step(TaskCore& task) noexcept {
  if (!instruments_.empty())
    tell_all([handle = AnyTask::from_core(task)](Instrument& one) { one.after_task_step(handle); });
}

void Observers::before_io_wait(std::int64_t timeout) noexcept {
  tell_all([=](Instrument& one) { one.before_io_wait(length_of(timeout)); });
}

void Observers::after_io_wait(std::int64_t timeout) noexcept {
  tell_all([=](Instrument& one) { one.after_io_wait(length_of(timeout)); });
}

void Observers::before(ReadyNode& node) noexcept {
  callback_ = nullptr;
  if (node.run == &CallbackCore::run_ready) {
    callback_ = reinterpret_cast<const void*>(static_cast<CallbackCore&>(node).callable().invoke);
  }
  began_ = steady_now();
}

void Observers::after(ReadyNode&) noexcept {
  if (began_ != 0) {  // 0: debug mode began in this very step
    const auto length = steady_now() - began_;
    const auto limit = loop_.slow_step.load(std::memory_order_relaxed);
    if (limit > 0 && length >= limit) report_slow(length);
  }
  stepped_ = {};
}

void Observers::report_slow(std::int64_t length) noexcept {
  try {
    const auto what = stepped_    ? "task " + describe_task(stepped_.core())
                      : callback_ ? "callback " + callable_name(callback_)
                                  : std::string("something of eddy's own");
    const auto text =
        fmt::format("eddy: executing {} took {:.3f} seconds\n", what, static_cast<double>(length) * 1e-9);
    std::fwrite(text.data(), 1, text.size(), stderr);
  } catch (...) {  // out of memory: nothing can be said
  }
}

}  // namespace eddy::detail

namespace eddy {

void EventLoop::add_instrument(Instrument& instrument) { detail::Observers::of(*loop_).add(instrument); }
void EventLoop::remove_instrument(Instrument& instrument) {
  if (loop_->observers) detail::Observers::of(*loop_).remove(instrument);
}

void EventLoop::set_debug(bool on) {
  if (on == get_debug()) return;
  if (on) detail::watch_debug_loops();
  detail::Observers::of(*loop_).set_debug(on);
}
bool EventLoop::get_debug() const noexcept { return loop_->debug; }

void EventLoop::set_slow_callback_duration(Duration limit) { loop_->slow_step = limit.count(); }
Duration EventLoop::slow_callback_duration() const noexcept {
  return Duration::nanoseconds(loop_->slow_step);
}

LoopMetrics EventLoop::metrics() const noexcept { return loop_->metrics(); }

}  // namespace eddy

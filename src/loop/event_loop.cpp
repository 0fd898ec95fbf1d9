// SPDX-License-Identifier: MIT
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>

#include <cstdlib>

#include "loop/descriptors.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "loop/signals.hpp"

namespace eddy {

using detail::CallbackCore;
using detail::Loop;

namespace detail {

void CallbackCore::cancel() noexcept {
  cancelled = true;
  // An armed timer holds a reference: it goes with the timer.
  if (TimerQueue::is_armed(*this)) {
    Loop::of(*loop).disarm(*this);
    drop_callable();
    return release();
  }
  if (!running) drop_callable();
}

void CallbackCore::run_ready(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<CallbackCore&>(node);
  self.queued = false;
  if (how == Dispatch::run && !self.cancelled && !self.spent) {
    self.running = true;
    try {
      const ContextEntry entry(self.context);
      self.callable().invoke(self);
    } catch (...) {
      report_current_exception(self.loop, "a callback threw");
    }
  }
  self.running = false;
  if (!self.repeats || self.cancelled) self.drop_callable();
  self.release();
}

// The time has come: into the ready queue, where it runs in its turn. The timer's reference goes along.
void CallbackCore::expire(WaitNode& node) noexcept {
  auto& callback = static_cast<CallbackCore&>(node);
  callback.queued = true;
  callback.loop->ready.push(callback);
}

}  // namespace detail

EventLoop::EventLoop(LoopOptions options) : loop_(new Loop(options)) {
  loop_->facade = this;
  detail::serve_if_asked();
  const char* debug = std::getenv("EDDY_DEBUG");
  if (debug && *debug && std::string_view(debug) != "0") set_debug(true);
}

EventLoop::~EventLoop() { delete loop_; }

detail::LoopCore& EventLoop::core() {
  loop_->check_open();
  loop_->check_thread();
  return *loop_;
}
detail::LoopCore& EventLoop::core_for_any_thread() {
  loop_->check_open();
  return *loop_;
}

void EventLoop::run_forever() { loop_->run(false); }
void EventLoop::stop() noexcept { loop_->stop(); }
bool EventLoop::is_running() const noexcept { return loop_->is_running(); }
void EventLoop::close() { loop_->close(); }
bool EventLoop::is_closed() const noexcept { return loop_->is_closed(); }
TimePoint EventLoop::time() const noexcept { return TimePoint(std::chrono::nanoseconds(loop_->time())); }
std::string_view EventLoop::backend_name() const noexcept { return loop_->backend->name(); }

void EventLoop::check_can_run() {
  loop_->check_open();
  if (detail::this_thread.loop) {
    throw RuntimeError("an event loop already runs on this thread; inside of it, co_await the coroutine instead");
  }
}

namespace {

// Stops the loop when the task that it runs for is done. It may stand in the ready queue when the run has
// ended for another reason; then it is let go, and does nothing when its turn comes.
struct StopWhenDone final : detail::DoneNode, detail::Pooled {
  StopWhenDone** owner;

  static const detail::DoneOps kOps;

  explicit StopWhenDone(StopWhenDone** holder) noexcept : DoneNode(kOps), owner(holder) {}
  static void call(detail::ReadyNode& node, detail::Dispatch how) noexcept {
    auto& self = static_cast<StopWhenDone&>(node);
    if (how == detail::Dispatch::run && self.owner) Loop::of(*self.target->loop).stop();
    self.target->release();
    self.end();
  }
  void end() noexcept {
    if (owner) *owner = nullptr;
    delete this;
  }
};
constexpr detail::DoneOps StopWhenDone::kOps{
    &call, [](detail::DoneNode& node) noexcept { static_cast<StopWhenDone&>(node).end(); }};

}  // namespace

void EventLoop::run_until_done(const AnyTask& task) {
  {
    struct Watch {
      StopWhenDone* node;
      explicit Watch(const AnyTask& task) : node(new StopWhenDone(&node)) {
        node->attach(task.core());
      }
      ~Watch() {
        if (!node) return;
        node->owner = nullptr;
        if (!node->is_linked()) return;
        node->detach();
        delete node;
      }
    } watch(task);
    loop_->run(true);
  }
  if (!task.done()) throw RuntimeError("the event loop was stopped before the coroutine had ended");
}

Handle EventLoop::schedule_soon(CallbackCore& node) {
  node.retain_new();
  node.queued = true;
  loop_->ready.push(node);
  return Handle(&node);
}

Handle EventLoop::schedule_threadsafe(CallbackCore& node) {
  Handle handle(&node);
  node.retain_new();
  loop_->post(node);
  return handle;
}

TimerHandle EventLoop::schedule_later(CallbackCore& node, Duration delay) {
  node.retain_new();
  return TimerHandle(&node, loop_->arm_after(node, delay.count()));
}

TimerHandle EventLoop::schedule_at(CallbackCore& node, std::int64_t when) {
  node.retain_new();
  loop_->arm(node, when);
  return TimerHandle(&node, when);
}

void EventLoop::set_descriptor_callback(int fd, bool writes, CallbackCore* callback) {
  callback->repeats = true;
  Handle guard(callback);
  auto& watch = detail::DescriptorWatch::of(*loop_, fd);
  callback->retain();
  watch.set(writes, callback);
}

bool EventLoop::remove_descriptor_callback(int fd, bool writes) {
  const auto found = loop_->descriptors.find(fd);
  if (found == loop_->descriptors.end() || !found->second->has(writes)) return false;
  found->second->set(writes, nullptr);
  return true;
}

void EventLoop::notify_closing(int fd) noexcept {
  const auto found = loop_->descriptors.find(fd);
  if (found != loop_->descriptors.end()) found->second->closing();
}

void EventLoop::set_signal_callback(int signal, CallbackCore* callback) {
  if (!loop_->signals) loop_->signals = std::make_unique<detail::SignalHandlers>(*loop_->backend);
  loop_->signals->set(signal, callback, false);
}

bool EventLoop::remove_signal_handler(int signal) { return loop_->signals && loop_->signals->remove(signal, false); }

void EventLoop::set_handler(detail::ExceptionHandler handler) {
  loop_->exception_handler = handler ? std::make_shared<detail::ExceptionHandler>(std::move(handler)) : nullptr;
}

void EventLoop::set_factory(detail::TaskFactory factory) {
  loop_->own_task_factory = factory ? std::make_unique<detail::TaskFactory>(std::move(factory)) : nullptr;
  loop_->task_factory = loop_->own_task_factory.get();
  loop_->watchers_changed();
}

void EventLoop::call_exception_handler(const ExceptionContext& context) {
  const auto handler = loop_->exception_handler;  // which may replace itself
  if (!handler) return default_exception_handler(context);
  try {
    (*handler)(context);
  } catch (...) {
    default_exception_handler({"the exception handler threw while it handled: " + context.message,
                               std::current_exception(), {}});
  }
}

void EventLoop::default_exception_handler(const ExceptionContext& context) const {
  loop_->report_by_default(context);
}

EventLoop& detail::loop_of(const FutureCore& core) noexcept { return *Loop::of(*core.loop).facade; }
EventLoop& AnyTask::get_loop() const noexcept { return detail::loop_of(*core_); }

EventLoop& get_running_loop() { return *Loop::of(detail::running_loop_core()).facade; }

std::vector<AnyTask> all_tasks() { return all_tasks(get_running_loop()); }

std::vector<AnyTask> all_tasks(EventLoop& loop) {
  std::vector<AnyTask> tasks;
  auto& all = loop.core().all_tasks;
  for (auto* node = all.front(); node != all.end(); node = node->next) {
    tasks.push_back(AnyTask::from_core(detail::task_in_list(*node)));
  }
  return tasks;
}

}  // namespace eddy

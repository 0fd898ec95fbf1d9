// SPDX-License-Identifier: MIT
#include <eddy/coro.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/futures.hpp>
#include <eddy/tasks.hpp>
#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "base/frame_origins.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "loop/step.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {

TaskCore::TaskCore(LoopCore* owner, const FutureOps* table, std::coroutine_handle<> root_frame) noexcept
    : FutureCore(owner, table), resume_point(root_frame) {
  root = root_frame.address();
  flags = kIsTask;
  references = 2;  // the first handle's, and the loop's until the task ends
  run = &TaskCore::begin;
  loop->all_tasks.push_back(static_cast<TaskListNode&>(*this));
  ++loop->tasks_made;
}

void TaskCore::drop_extra() noexcept { delete extra; }

// The hooks may be others, or gone, after the step.
[[gnu::cold]] void TaskCore::run_watched_step() noexcept {
  LoopCore& owner = *loop;
  retain();
  owner.hooks->before_step(*this);
  run_step();
  this_thread.task = nullptr;
  if (owner.hooks) owner.hooks->after_step(*this);
  release();
}

// Steps of other tasks do not nest, but this one stands on the stack of its maker's.
void TaskCore::start_eagerly() noexcept {
  TaskCore* const maker = this_thread.task;
  ++loop->eager_steps;
  if (loop->hooks) [[unlikely]] run_watched_step();
  else run_step();
  this_thread.task = maker;
}

void TaskCore::step(ReadyNode& node, Dispatch how) noexcept {
  if (how == Dispatch::discard) return;
  auto& self = static_cast<TaskCore&>(node);
  LoopCore& owner = *self.loop;
  const bool ends_unstarted = !self.started() && (self.flags & kMustCancel);
  if (owner.hooks && !ends_unstarted) [[unlikely]] self.run_watched_step();
  else self.run_step();
  ++owner.steps_called;
}

void TaskCore::begin(ReadyNode& node, Dispatch how) noexcept { step(node, how); }

// A coroutine that its parent had suspended for has ended; or the task asked for its own cancellation before it came to wait.
void TaskCore::go_on() noexcept {
  while (flags & kContinue) {
    flags &= static_cast<std::uint8_t>(~kContinue);
    std::exchange(resume_point, nullptr).resume();
  }
  this_thread.task = nullptr;
  if (!resume_point || (flags & (kMustCancel | kWaiting)) != (kMustCancel | kWaiting)) return;
  if (WaitNode::ops->cancel(*this) == CancelResult::accepted) flags &= static_cast<std::uint8_t>(~kMustCancel);
}

// A task that is cancelled before its first step runs nothing: its parameters are destroyed.
void TaskCore::end_unstarted() noexcept {
  this_thread.task = nullptr;
  auto frame = std::coroutine_handle<PromiseBase>::from_address(root);
  auto message = take_cancellation();
  const QuietDestruction quiet;
  conclude_failed_task(*this, frame.promise(), frame, Outcome::cancelled, std::move(message));
}

namespace {

[[gnu::noinline, gnu::cold]] void leave_specially(TaskCore& task) noexcept {
  if (task.extra) drop_level_cancel(task);
  if (auto* hooks = task.loop->hooks) hooks->ended(task);
}

// Parameters die when the coroutine ends, before anybody hears of it.
inline void leave_loop(TaskCore& task, std::coroutine_handle<> frame) noexcept {
  frame.destroy();
  task.resume_point = nullptr;
  static_cast<TaskListNode&>(task).unlink();
  ++task.loop->tasks_ended;
  if (task.extra || task.loop->hooks) [[unlikely]] leave_specially(task);
}

}  // namespace

void conclude_task(TaskCore& task, std::coroutine_handle<> frame) noexcept {
  leave_loop(task, frame);
  if (task.flags & kMustCancel) [[unlikely]] task.finish_cancelled(task.take_cancellation());
  else task.finish_with_value();
  task.release();
}

void conclude_failed_task(TaskCore& task, PromiseBase& promise, std::coroutine_handle<> frame, Outcome outcome,
                          const std::exception_ptr& in_frame) noexcept {
  std::exception_ptr error = in_frame;
  if (outcome == Outcome::cancelled) {
    leave_loop(task, frame);
    task.finish_cancelled(std::move(error));
  } else {
    remember_origin(task, promise);
    leave_loop(task, frame);
    const bool ends = ends_the_loop(error);
    if (ends) Loop::of(*task.loop).interrupt(error);
    task.finish_with_error(std::move(error));
    if (ends) task.flags &= static_cast<std::uint8_t>(~kUnread);
  }
  task.release();
}

bool TaskCore::cancel_task(std::exception_ptr message) noexcept {
  if (done()) return false;
  if (cancel_requests < UINT16_MAX) ++cancel_requests;
  // A wait that is cancelled already ends with the message it was cancelled with.
  if (!(flags & kWaitCancelled) && (message || (extra && extra->cancel_message))) {
    extra_of(*this).cancel_message = std::move(message);
  }
  if (waiting() && WaitNode::ops->cancel(*this) == CancelResult::accepted) return true;
  flags |= kMustCancel;
  if (extra) extra->level_cancel = false;
  return true;
}

std::uint16_t TaskCore::uncancel() noexcept {
  if (cancel_requests > 0 && --cancel_requests == 0) flags &= static_cast<std::uint8_t>(~kMustCancel);
  if (extra) rearm_level_cancel(*this);
  return cancel_requests;
}

std::exception_ptr TaskCore::take_cancellation() noexcept {
  flags &= static_cast<std::uint8_t>(~(kMustCancel | kWaitCancelled));
  if (extra) rearm_level_cancel(*this);
  if (!extra || !extra->cancel_message) return nullptr;
  return std::make_exception_ptr(CancelledError(std::exchange(extra->cancel_message, nullptr)));
}

// Of a cancelled wait. If there is none, CancelledError says it all.
void TaskCore::throw_reason() {
  if (extra && extra->failure) {
    flags &= static_cast<std::uint8_t>(~(kMustCancel | kWaitCancelled));
    std::rethrow_exception(std::exchange(extra->failure, nullptr));
  }
  if (auto with_message = take_cancellation()) std::rethrow_exception(with_message);
}

void TaskCore::abandon() noexcept {
  if (WaitNode::ops && resume_point && started()) WaitNode::ops->detach(*this);
  flags &= static_cast<std::uint8_t>(~kWaiting);
  auto frame = std::coroutine_handle<PromiseBase>::from_address(root);
  const QuietDestruction quiet;
  conclude_failed_task(*this, frame.promise(), frame, Outcome::cancelled, nullptr);
}

void die_suspended_on_nothing(const TaskCore& task) noexcept {
  const auto text = fmt::format(
      "eddy: task {} suspended on nothing: it awaits something that is not eddy's, or g++ 12 lost a resume\n"
      "  (docs/troubleshooting.md, 'suspended on nothing')\n",
      describe_task(task));
  std::fputs(text.c_str(), stderr);
  std::abort();
}

TaskExtra& extra_of(TaskCore& task) noexcept {
  if (!task.extra) task.extra = new TaskExtra;
  return *task.extra;
}

void remember_origin(TaskCore& task, const PromiseBase& promise) noexcept {
  auto& extra = extra_of(task);
  extra.function = promise.function;
  extra.file = static_cast<const char*>(promise.continuation);
  extra.line = promise.created_line;
  if (!extra.file || !*extra.file) {
    extra.file = promise.file;
    extra.line = promise.line;
  }
}

void start_task_specially(TaskCore& task, std::string_view name, const Context* context, bool eager_start) {
  TaskOptions options{name, context, eager_start};
  if (auto* hooks = task.loop->hooks) hooks->made(task);
  if (const auto* factory = task.loop->task_factory) (*factory)(AnyTask::from_core(task), options);
  if (!options.name.empty()) name_task(task, options.name);
  if (options.context) give_context(task, *options.context);
  else inherit_context(task);
  if (options.eager_start && this_thread.loop == task.loop && !stack_is_short()) task.start_eagerly();
  else task.loop->ready.push(task);
}

void name_task(TaskCore& task, std::string_view name) {
  auto& extra = extra_of(task);
  const NameChange change;
  extra.name = name;
}

namespace {
thread_local int quiet_depth = 0;
constinit thread_local volatile bool a_name_changes = false;
}  // namespace

NameChange::NameChange() noexcept {
  a_name_changes = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
NameChange::~NameChange() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  a_name_changes = false;
}
bool NameChange::is_under_way() noexcept { return a_name_changes; }

QuietDestruction::QuietDestruction() noexcept { ++quiet_depth; }
QuietDestruction::~QuietDestruction() { --quiet_depth; }

namespace {
void add_stack(std::string& text, std::string_view title, const NativeStack& stack) {
  text.append("\n  ").append(title);
  for (const auto& line : stack.lines()) text.append("\n    ").append(line);
}
}  // namespace

void report_never_awaited(const PromiseBase& promise) noexcept {
  if (quiet_depth > 0) return;
  auto text = fmt::format("coroutine '{}' ({}:{}) was never awaited; co_await it or create_task() it", promise.function,
                          promise.file, promise.line);
  if (this_thread.loop) {
    auto& loop = Loop::of(*this_thread.loop);
    if (loop.debug.load(std::memory_order_relaxed)) {
      const auto self = std::coroutine_handle<PromiseBase>::from_promise(const_cast<PromiseBase&>(promise));
      if (const auto* made_by = frame_origin(self.address())) add_stack(text, "made by", *made_by);
      NativeStack dropped_by;
      dropped_by.capture(1);
      add_stack(text, "dropped by", dropped_by);
    }
    return loop.report(std::move(text), nullptr, nullptr);
  }
  std::fputs(("eddy: " + text + "\n").c_str(), stderr);
}

void note_unwinding(const PromiseBase& promise) noexcept {
  if (!this_thread.task) return;
  auto& extra = extra_of(*this_thread.task);
  const auto self = std::coroutine_handle<PromiseBase>::from_promise(const_cast<PromiseBase&>(promise));
  // Another exception may lie where the last one lay: the way goes on only in the coroutine that awaited its end.
  const void* exception = address_of(std::current_exception());
  const bool goes_on = extra.unwound_by == exception && extra.unwinding_to == self.address();
  if (!goes_on) extra.unwound.clear();
  extra.unwound_by = exception;
  extra.unwinding_to = promise.continuation;
  try {
    extra.unwound.push_back({promise.function, promise.file, promise.line});
  } catch (const std::bad_alloc&) {
    // A report without a way.
  }
}

void throw_coroutine_reused() {
  throw RuntimeError("the coroutine was awaited or moved away before: a Coro runs once; make a task of it with "
                     "create_task() to await it more than once");
}

}  // namespace eddy::detail

namespace eddy {

bool AnyTask::cancel(std::string_view message) const {
  return detail::cancel_with_message(*core_, message);
}

TaskState AnyTask::state() const noexcept {
  if (core_ == detail::this_thread.task) return TaskState::running;
  if (!core_->done()) return TaskState::pending;
  return core_->cancelled() ? TaskState::cancelled : TaskState::done;
}

std::string_view AnyTask::name() const { return detail::name_of(*core_); }
void AnyTask::set_name(std::string_view name) const { detail::name_task(*core_, name); }

}  // namespace eddy

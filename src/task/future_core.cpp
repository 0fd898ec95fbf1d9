// SPDX-License-Identifier: MIT
#include <eddy/detail/future_await.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <cxxabi.h>

#include <new>
#include <typeinfo>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {

bool current_exception_is_cancelled() noexcept {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type && *type == typeid(CancelledError);
}

void throw_no_result() { throw InvalidStateError("the coroutine has no result: it ended without a co_return"); }

// Before its end: an exception that nobody saw is told, and those who wait for it learn that they wait in vain.
void FutureCore::let_go() noexcept {
  if (flags & kUnread) {
    flags &= static_cast<std::uint8_t>(~kUnread);
    const auto what = is_task() ? fmt::format("task {}", describe_task(static_cast<TaskCore&>(*this))) : "a future";
    auto message = fmt::format("the exception of {} was never retrieved; await it, or look at exception()", what);
    if (is_task()) message += describe_maker(static_cast<TaskCore&>(*this));
    const auto* thrower = is_task() ? static_cast<const TaskCore*>(this) : nullptr;
    if (loop == this_thread.loop) Loop::of(*loop).report(std::move(message), error, nullptr, thrower);
    else std::fputs(fmt::format("eddy: {}\n  {}\n", message, describe_exception(error)).c_str(), stderr);
  }
  while (ListNode* first = waiters.front()) {
    waiters.remove(*first);
    auto& node = static_cast<WaitNode&>(*first);
    if (node.ops) continue;
    auto& callback = static_cast<DoneNode&>(node);
    callback.done_ops->drop(callback);
  }
}

void FutureCore::tell_waiters() noexcept {
  while (ListNode* first = waiters.front()) {
    waiters.remove(*first);
    auto& node = static_cast<WaitNode&>(*first);
    if (node.ops) {
      task_of(node).wake();
      continue;
    }
    auto& callback = static_cast<DoneNode&>(node);
    const auto wants_call = callback.done_ops->wants_call;
    if (wants_call && !wants_call(callback, state)) continue;
    retain();
    loop->ready.push(callback);
  }
}

void FutureCore::finish_with_error(std::exception_ptr reason) noexcept {
  ::new (static_cast<void*>(&error)) std::exception_ptr(std::move(reason));
  flags |= kUnread;
  finish(FutureState::failed);
}

void FutureCore::finish_cancelled(std::exception_ptr message) noexcept {
  ::new (static_cast<void*>(&error)) std::exception_ptr(std::move(message));
  finish(FutureState::cancelled);
}

bool FutureCore::cancel(std::exception_ptr message) noexcept {
  if (is_task()) return static_cast<TaskCore&>(*this).cancel_task(std::move(message));
  if (done()) return false;
  finish_cancelled(message ? std::make_exception_ptr(CancelledError(std::move(message))) : nullptr);
  return true;
}

bool cancel_with_message(FutureCore& core, std::string_view message) {
  return core.cancel(std::make_exception_ptr(std::runtime_error(std::string(message))));
}

void break_promise(FutureCore& core) noexcept {
  core.finish_with_error(std::make_exception_ptr(BrokenPromiseError("the promise was destroyed without a result")));
}

std::exception_ptr FutureCore::error_to_throw() {
  throw_unless_done();
  flags &= static_cast<std::uint8_t>(~kUnread);
  if (state == FutureState::cancelled && !error) throw CancelledError();
  return error;
}

std::exception_ptr FutureCore::failure() const noexcept {
  if (state == FutureState::failed) return error;
  if (state != FutureState::cancelled) return nullptr;
  return error ? error : std::make_exception_ptr(CancelledError());
}

void FutureCore::throw_unless_done() const {
  if (!done()) throw InvalidStateError(is_task() ? "the task has not ended: it has no result" : "the future has no result yet");
}

void FutureCore::throw_if_done(const char* operation) const {
  if (done()) throw InvalidStateError(fmt::format("{}: the future is done already", operation));
  if (!waiters.empty() && loop != this_thread.loop) [[unlikely]] check_loop_thread(*loop);
}

std::exception_ptr read_exception(FutureCore& core) {
  core.throw_unless_done();
  if (core.cancelled()) core.rethrow();
  core.flags &= static_cast<std::uint8_t>(~kUnread);
  return core.failure();
}

// As asyncio: what came out of the wait stands, if that is a cancellation, and with it its message.
void throw_cancelled_wait(TaskCore& task, FutureCore& core) {
  if (!core.cancelled()) task.throw_cancelled();
  task.take_cancellation();
  core.rethrow();
}

void DoneNode::attach_to_done() noexcept {
  target->retain();
  target->loop->ready.push(*this);
}

void check_awaitable(const FutureCore& core) {
  if (&core == static_cast<const FutureCore*>(this_thread.task)) {
    throw RuntimeError("a task cannot await itself");
  }
  if (this_thread.loop && core.loop != this_thread.loop) {
    throw RuntimeError("a future or task of another event loop cannot be awaited here; use "
                       "run_coroutine_threadsafe(), whose result any thread can wait for");
  }
}

namespace {

FutureCore& awaited(const TaskCore& task) noexcept { return *static_cast<FutureCore*>(task.object); }

CancelResult cancel_awaited(TaskCore& task) noexcept {
  auto message = task.extra ? task.extra->cancel_message : nullptr;
  FutureCore& target = awaited(task);
  // A future wakes its waiters at once; a task ends later.
  const bool accepted = target.is_task() ? task.pass_on_cancellation([&] { return target.cancel(std::move(message)); })
                                         : target.cancel(std::move(message));
  return accepted ? CancelResult::accepted : CancelResult::refused;
}
void detach_awaiter(TaskCore& task) noexcept {
  if (task.WaitNode::is_linked()) awaited(task).waiters.remove(static_cast<WaitNode&>(task));
}
void describe_awaited(const TaskCore& task, Text& text) {
  const auto& target = awaited(task);
  if (target.is_task()) text.add("task {}", describe_task(static_cast<const TaskCore&>(target)));
  else text.add("a future");
}

}  // namespace

constinit const WaitOps kFutureWait{
    &cancel_awaited, &detach_awaiter, &describe_awaited, nullptr,
    [](const TaskCore& task, AwaitVisitor& visitor) { visitor.awaits(awaited(task)); }, "future"};

}  // namespace eddy::detail

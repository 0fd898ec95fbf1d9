// SPDX-License-Identifier: MIT
#include <eddy/wait.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

void throw_wait_for_nothing() { throw ValueError("wait: there is nothing to wait for: the list of futures is empty"); }

// Counted: the awaiter, and the inner future's callback.
class ShieldCore final : public DoneNode, public Pooled {
 public:
  explicit ShieldCore(FutureCore& inner) noexcept : DoneNode(kInnerOps) { attach(inner); }

  void wait(std::coroutine_handle<> where) {
    waiter_ = &current_task_core();
    waiter_->wait(where, kOps, this);
  }
  void finish() {
    TaskCore& task = *std::exchange(waiter_, nullptr);
    if (!task.must_throw()) return;
    // Cancelled after the inner one was: that CancelledError, which came first, is thrown.
    const bool was_over = !(task.flags & kWaitCancelled) && inner_cancelled_;
    abandoned_ = !inner_ended_;
    if (!was_over) task.throw_cancelled();
    task.take_cancellation();
  }
  void leave() noexcept {
    waiter_ = nullptr;
    release();
  }

 private:
  static const WaitOps kOps;
  static const DoneOps kInnerOps;

  void release() noexcept {
    if (--references_ == 0) delete this;
  }

  static void inner_done(ReadyNode& node, Dispatch how) noexcept {
    auto& self = static_cast<ShieldCore&>(static_cast<DoneNode&>(node));
    FutureCore& inner = *self.target;
    self.inner_ended_ = true;
    self.inner_cancelled_ = inner.cancelled();
    if (how == Dispatch::run) {
      if (self.waiter_ && !self.waiter_->must_throw()) self.waiter_->wake();
      else if (self.abandoned_ && inner.state == FutureState::failed) report(inner);
    }
    inner.release();
    self.release();
  }

  static void report(FutureCore& inner) noexcept {
    inner.flags &= static_cast<std::uint8_t>(~kUnread);
    auto message = inner.is_task()
                       ? fmt::format("the exception of shielded task {} came after its awaiter was cancelled",
                                     describe_task(static_cast<TaskCore&>(inner)))
                       : std::string("the exception of a shielded future came after its awaiter was cancelled");
    Loop::of(*inner.loop).report(std::move(message), inner.error, nullptr);
  }

  TaskCore* waiter_ = nullptr;
  int references_ = 2;
  bool inner_ended_ = false;
  bool inner_cancelled_ = false;
  bool abandoned_ = false;  // its awaiter was cancelled while the inner one went on
};

constexpr DoneOps ShieldCore::kInnerOps{&inner_done,
                                        [](DoneNode& node) noexcept { static_cast<ShieldCore&>(node).release(); }};

const WaitOps ShieldCore::kOps{
    &cancel_at_once,
    &detach_nothing,
    [](const TaskCore&, Text& text) { text.add("a shielded future"); },
    nullptr,
    [](const TaskCore& task, AwaitVisitor& visitor) {
      if (const auto* inner = static_cast<const ShieldCore*>(task.object)->target) visitor.awaits(*inner);
    },
    "shield",
};

ShieldCore* make_shield(FutureCore& inner) { return new ShieldCore(inner); }
void wait_shield(ShieldCore& shield, std::coroutine_handle<> where) { shield.wait(where); }
void finish_shield(ShieldCore& shield) { shield.finish(); }
void leave_shield(ShieldCore& shield) noexcept { shield.leave(); }

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/task_core.hpp>

#include <coroutine>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

/// `co_await ReadableWait(fd, "changes of files")`: until a descriptor that nobody else watches can be read.
class [[nodiscard("co_await it")]] ReadableWait final : private IoWatch {
 public:
  ReadableWait(int descriptor, const char* what) noexcept : what_(what) {
    fd = descriptor;
    interest = kReadable;
    on_events = [](IoWatch& watch, unsigned) noexcept {
      if (auto* task = static_cast<ReadableWait&>(watch).waiter_) task->wake();
    };
  }
  ReadableWait(ReadableWait&& other) noexcept : ReadableWait(other.fd, other.what_) {}  // before it is awaited
  ~ReadableWait() { leave(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> where) {
    TaskCore& task = current_task_core();
    Loop::of(*task.loop).backend->watch(*this);
    Loop::of(*task.loop).io_opened();
    waiter_ = &task;
    task.wait(where, kOps, this);
  }
  void await_resume() {
    TaskCore& task = *waiter_;
    leave();
    task.throw_if_cancelled();
  }

 private:
  void leave() noexcept {
    auto* task = std::exchange(waiter_, nullptr);
    if (!task) return;
    Loop::of(*task->loop).backend->unwatch(*this);
    Loop::of(*task->loop).io_closed();
  }
  static void describe(const TaskCore& task, Text& text) {
    const auto& self = *static_cast<const ReadableWait*>(task.object);
    text.add("{} (descriptor {})", self.what_, self.fd);
  }
  static constexpr WaitOps kOps{&cancel_at_once, &detach_nothing, &describe, nullptr, nullptr, "descriptor"};

  const char* what_;
  TaskCore* waiter_ = nullptr;
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#include "io/process_core.hpp"

#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <cerrno>

#include "base/text.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

const WaitOps ProcessCore::kOps{&cancel_at_once, &detach, &describe_wait, nullptr, nullptr, "process"};

ProcessCore::ProcessCore(Loop& loop, Spawned child, std::string name, bool leads_group, bool kill_on_destroy) noexcept
    : loop_(&loop),
      pid_(child.pid),
      pidfd_(std::move(child.process)),
      name_(std::move(name)),
      leads_group_(leads_group),
      kill_on_destroy_(kill_on_destroy) {
  IoWatch::fd = pidfd_.get();
  interest = kReadable;
  on_events = [](IoWatch& watch, unsigned) noexcept { static_cast<ProcessCore&>(watch).look(); };
}

ProcessHandle ProcessCore::adopt(Loop& loop, Spawned child, std::string name, bool leads_group, bool kill_on_destroy) {
  const int pidfd = child.process.get();
  auto* core = new ProcessCore(loop, std::move(child), std::move(name), leads_group, kill_on_destroy);
  try {
    loop.backend->watch(*core);
  } catch (...) {
    detail::send_signal(pidfd, SIGKILL);
    reap_in_background(std::move(core->pidfd_));
    delete core;
    throw;
  }
  core->watched_ = true;
  loop.resources.push_back(*core);
  return ProcessHandle(*core);
}

// The pidfd says that it has ended.
void ProcessCore::look() noexcept {
  returncode_ = reap(pidfd_.get());
  if (!returncode_) return;
  loop_->backend->unwatch(*this);
  watched_ = false;
  LoopResource::unlink();
  if (!leads_group_) pidfd_.reset();  // of a group, others may be left
  for (ListNode* node = waiters_.front(); node != waiters_.end(); node = node->next) task_of(*node).wake();
  if (handles_ == 0) delete this;
}

void ProcessCore::release() noexcept {
  if (--handles_ > 0) return;
  if (kill_on_destroy_ && pidfd_) {
    if (leads_group_) send_group_signal(pidfd_.get(), pid_, SIGKILL);
    else detail::send_signal(pidfd_.get(), SIGKILL);
  }
  if (!watched_) delete this;
}

void ProcessCore::loop_closed() noexcept {
  loop_->backend->unwatch(*this);
  watched_ = false;
  loop_ = nullptr;
  returncode_ = reap(pidfd_.get());
  if (!returncode_) reap_in_background(UniqueFd(::fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 0)));
  if (handles_ == 0) delete this;
}

bool ProcessCore::send_signal(int number) const {
  if (returncode_) return false;
  const int error = detail::send_signal(pidfd_.get(), number);
  if (error == 0) return true;
  if (error == ESRCH) return false;
  throw_os_error(error, fmt::format("send signal {} to {}", number, describe()));
}

bool ProcessCore::kill_tree() const {
  if (!leads_group_) {
    throw RuntimeError(fmt::format("{} has no process group of its own to kill; start it with .process_group = 0", describe()));
  }
  const int error = send_group_signal(pidfd_.get(), pid_, SIGKILL);
  if (error == 0) return true;
  if (error == ESRCH) return false;
  throw_os_error(error, fmt::format("kill the group of {}", describe()));
}

void ProcessCore::wait(std::coroutine_handle<> where) {
  if (!loop_) throw RuntimeError(fmt::format("{} belonged to a loop that is closed", describe()));
  TaskCore& task = current_task_core();
  task.wait(where, kOps, this);
  waiters_.push_back(static_cast<WaitNode&>(task));
  loop_->expect_wakeup();
}

void ProcessCore::finish_wait() {
  TaskCore& task = current_task_core();
  detach(task);
  task.throw_if_cancelled();
}

void ProcessCore::detach(TaskCore& task) noexcept {
  if (!task.WaitNode::is_linked()) return;
  task.WaitNode::unlink();
  Loop::of(*task.loop).wakeup_came();
}

std::string ProcessCore::describe() const { return fmt::format("process {} ('{}')", pid_, name_); }

void ProcessCore::describe_wait(const TaskCore& task, Text& text) {
  text.add("the end of {}", static_cast<const ProcessCore*>(task.object)->describe());
}

void retain(ProcessCore& core) noexcept { core.retain(); }
void release(ProcessCore& core) noexcept { core.release(); }

bool ProcessWait::await_ready() const { return process_.core().returncode().has_value(); }
void ProcessWait::await_suspend(std::coroutine_handle<> where) {
  process_.core().wait(where);
  waited_ = true;
}
int ProcessWait::await_resume() {
  if (waited_) process_.core().finish_wait();
  return *process_.core().returncode();
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// A child process on its loop: watched by its pidfd until it has ended.
//
//     running --pidfd readable--> ended (reaped, waiters woken)
//        |
//        '--the loop closes--> left to the reaper
//
// It lives as long as a handle or the child does; with neither, it is gone.
#pragma once

#include <eddy/subprocess.hpp>

#include "base/spawn.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

class ProcessCore final : private IoWatch, public LoopResource {
 public:
  /// Throws, and leaves no child behind, if the back end cannot watch it.
  static ProcessHandle adopt(Loop& loop, Spawned child, std::string name, bool leads_group, bool kill_on_destroy);

  ProcessCore(const ProcessCore&) = delete;
  ProcessCore& operator=(const ProcessCore&) = delete;

  int pid() const noexcept { return pid_; }
  const std::string& name() const noexcept { return name_; }
  std::optional<int> returncode() const noexcept { return returncode_; }
  bool leads_group() const noexcept { return leads_group_; }

  bool send_signal(int number) const;
  bool kill_tree() const;

  void wait(std::coroutine_handle<> where);
  void finish_wait();

  void retain() noexcept { ++handles_; }
  void release() noexcept;

 private:
  ProcessCore(Loop& loop, Spawned child, std::string name, bool leads_group, bool kill_on_destroy) noexcept;
  ~ProcessCore() = default;

  void look() noexcept;
  void loop_closed() noexcept override;
  std::string describe() const override;
  bool ends_with_loop() const noexcept override { return true; }
  static void detach(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kOps;

  Loop* loop_;  // null: closed
  int pid_;
  UniqueFd pidfd_;
  std::string name_;
  bool leads_group_;
  bool kill_on_destroy_;
  bool watched_ = false;
  std::size_t handles_ = 0;
  std::optional<int> returncode_;
  List waiters_;
};

/// Waits on a thread for a child whose loop is gone, so that it leaves no zombie.
void reap_in_background(UniqueFd pidfd) noexcept;

}  // namespace eddy::detail

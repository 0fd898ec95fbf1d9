// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/task_core.hpp>

namespace eddy::detail {

/// Told of each ready node, when somebody wants to know: the sweeps of eddy/testing.hpp, debug mode.
struct LoopInstruments {
  virtual void before(ReadyNode& node) noexcept = 0;
  virtual void after(ReadyNode& node) noexcept = 0;  // the node may be gone: compare the address alone

 protected:
  ~LoopInstruments() = default;
};

/// Told of tasks, and of each wait for the kernel. One object serves all instruments of a loop.
struct LoopHooks : TaskHooks {
  virtual void before_io_wait(std::int64_t timeout) noexcept = 0;  // ns; negative: without end
  virtual void after_io_wait(std::int64_t timeout) noexcept = 0;
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Hooks for tracers and profilers: trio's instruments.
#pragma once

#include <eddy/clock.hpp>
#include <eddy/tasks.hpp>

namespace eddy {

/// Told what a loop does, by `loop.add_instrument(instrument)`. Override what you need.
///
/// All calls come on the loop's thread, between steps; they may read tasks and make none. One that throws is
/// removed, and its exception reported to the loop's exception handler. A loop without instruments pays
/// nothing for them. The loop does not own it: remove it before it dies.
class Instrument {
 public:
  virtual ~Instrument() = default;

  virtual void task_made(const AnyTask&) {}   // not yet named
  virtual void task_ended(const AnyTask&) {}  // its coroutine is gone
  virtual void before_task_step(const AnyTask&) {}
  virtual void after_task_step(const AnyTask&) {}
  /// The loop turns to the kernel for at most this long; Duration::max() for as long as it takes.
  virtual void before_io_wait(Duration) {}
  virtual void after_io_wait(Duration) {}
};

}  // namespace eddy

// SPDX-License-Identifier: MIT
// What a loop is watched by on its own thread: the user's instruments, and debug mode.
#pragma once

#include <cstdint>
#include <eddy/instrument.hpp>
#include <vector>

#include "loop/loop.hpp"

namespace eddy::detail {

/// Made when a loop gets its first instrument or enters debug mode; stays until the loop dies.
class Observers final : public LoopHooks, public LoopInstruments {
 public:
  static Observers& of(Loop& loop);

  void add(Instrument& instrument);
  void remove(Instrument& instrument) noexcept;
  void set_debug(bool on) noexcept;

  // LoopHooks
  void made(TaskCore& task) noexcept override;
  void ended(TaskCore& task) noexcept override;
  void before_step(TaskCore& task) noexcept override;
  void after_step(TaskCore& task) noexcept override;
  void before_io_wait(std::int64_t timeout) noexcept override;
  void after_io_wait(std::int64_t timeout) noexcept override;

  // LoopInstruments: how long each step and callback takes, in debug mode
  void before(ReadyNode& node) noexcept override;
  void after(ReadyNode& node) noexcept override;

 private:
  explicit Observers(Loop& loop) noexcept : loop_(loop) {}
  template <class F>
  void tell_all(F tell) noexcept;
  void connect() noexcept;
  void report_slow(std::int64_t length) noexcept;

  Loop& loop_;
  std::vector<Instrument*> instruments_;
  bool debug_ = false;
  std::int64_t began_ = 0;          // the node that runs, on the steady clock
  AnyTask stepped_;                 // the last task that it stepped
  const void* callback_ = nullptr;  // what it calls, if it is a callback
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Descriptors that others read and write: add_reader and add_writer, wait_readable and wait_writable, the sock_ calls.
// One registration a descriptor; in each direction a callback, or a task that waits.
#pragma once

#include <eddy/detail/callback.hpp>

#include "loop/loop.hpp"

namespace eddy::detail {

/// It stays with its loop, and serves again when its number comes back: a wait allocates nothing.
struct DescriptorWatch final : IoWatch {
  DescriptorWatch(Loop& owner, int descriptor);
  DescriptorWatch(const DescriptorWatch&) = delete;
  ~DescriptorWatch();

  /// The descriptor's own. Throws ValueError for a negative one, RuntimeError for one that a stream or a transport has.
  static DescriptorWatch& of(Loop& loop, int fd);

  /// Takes the callback over, also when it throws; null removes. Throws OSError if the descriptor cannot be polled,
  /// BusyResourceError if a task waits.
  void set(bool writes, CallbackCore* callback);
  bool has(bool writes) const noexcept { return sides_[writes].callback != nullptr; }

  /// Throws BusyResourceError if another task uses this direction. Gives the number that end_use() wants.
  unsigned begin_use(bool writes);
  void end_use(bool writes, unsigned number) noexcept;
  /// False: the descriptor was closed since begin_use().
  bool in_use(bool writes, unsigned number) const noexcept { return sides_[writes].used && number_ == number; }

  /// Watches for a task: wait() comes next, in the same step. Throws as set() does.
  void begin_wait(bool writes);
  void wait(bool writes, TaskCore& task) noexcept { sides_[writes].waiter = &task; }
  /// Does nothing if the task's wait is over.
  void end_wait(bool writes, const TaskCore& task) noexcept;

  /// It is about to be closed: its callbacks go, its tasks get ClosedResourceError.
  void closing() noexcept;

 private:
  struct Side {
    CallbackCore* callback = nullptr;
    TaskCore* waiter = nullptr;
    bool wanted = false;  // by a task that waits
    bool used = false;    // from begin_use() to end_use()
  };

  void dispatch(unsigned events) noexcept;
  void check_free(bool writes) const;
  void drop_callback(Side& side) noexcept;
  void apply();
  void apply_quietly() noexcept;

  Loop& loop_;
  Side sides_[2];  // reads, writes
  unsigned number_ = 0;  // grows with each closing()
  bool watched_ = false;
};

/// One direction of a descriptor, for as long as an operation on it lasts.
class DescriptorUse {
 public:
  DescriptorUse(int fd, bool writes)
      : watch_(DescriptorWatch::of(Loop::running(), fd)), writes_(writes), number_(watch_.begin_use(writes)) {}
  DescriptorUse(const DescriptorUse&) = delete;
  ~DescriptorUse() { watch_.end_use(writes_, number_); }

  /// After a wait: throws ClosedResourceError if the descriptor was closed meanwhile.
  void check() const;

 private:
  DescriptorWatch& watch_;
  bool writes_;
  unsigned number_;
};

}  // namespace eddy::detail

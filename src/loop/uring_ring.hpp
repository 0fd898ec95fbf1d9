// SPDX-License-Identifier: MIT
// One ring: what the kernel is asked for, what it answers, and who is told.
//
// An operation is an object of its own. Who started it may go at any time: it abandons the operation, which is
// cancelled and lives on until the kernel has told its end. The kernel writes into the buffer ring and into the
// memory of file requests, never into a stream or its users.
//
//     idle --start()--> queued ---enter---> in flight --last completion--> idle
//                         |                     |
//                         '----- abandon() -----+--> freed: at once, or with the last completion
#pragma once

#include <eddy/detail/frame_pool.hpp>
#include <eddy/detail/list.hpp>
#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "loop/backend.hpp"
#include "loop/uring_buffers.hpp"
#include "loop/uring_features.hpp"

namespace eddy::detail {

struct UringOperation final : ListNode, Pooled {
  enum class Kind : std::uint8_t { poll, poll_always, accept, receive, file };

  Kind kind;
  bool in_flight = false;     // the kernel owes a last completion
  int fd = -1;
  unsigned events = 0;        // of a poll
  std::uint64_t number = 0;   // the how manieth request it is, while it is in flight
  void* owner = nullptr;      // null: abandoned
  void* context = nullptr;    // the owner's
  /// Told of each completion. `result`: a count, a descriptor, events, or a negative error number.
  void (*completed)(UringOperation&, int result, std::uint32_t flags) noexcept = nullptr;

  explicit UringOperation(Kind k) noexcept : kind(k) {}
  bool is_idle() const noexcept { return !is_linked(); }
};

/// Who holds pieces of the buffer ring.
struct BufferHolder : ListNode {
  /// Copies them out and gives them back.
  virtual void spill() noexcept = 0;

 protected:
  ~BufferHolder() = default;
};

/// Who wants to be called at the end of the next poll, which does not wait for the kernel.
struct UringCaller : ListNode {
  virtual void call() noexcept = 0;

 protected:
  ~UringCaller() = default;
};

class UringRing {
 public:
  explicit UringRing(const UringFeatures& features) noexcept : features_(features) {}
  UringRing(const UringRing&) = delete;
  ~UringRing();

  /// The operation has to be idle. The kernel hears of it with the next enter.
  void start(UringOperation& operation) noexcept;
  /// Its last completion comes, with ECANCELED if it was not over before. False: it was not yet asked for and
  /// is idle now.
  bool cancel(UringOperation& operation) noexcept;
  /// The owner does not use it any more. Its descriptor stays open for the kernel until let_go().
  void abandon(UringOperation* operation) noexcept;
  /// Submits what was cancelled, so that the kernel lets go of descriptors before somebody closes them: the peer
  /// sees the end at once.
  void let_go() noexcept;

  void holds_buffers(BufferHolder& holder, bool holds) noexcept;
  /// Has all holders spill.
  void free_buffers() noexcept;
  void call_soon(UringCaller& caller) noexcept {
    if (!caller.is_linked()) to_call_.push_back(caller);
  }
  void do_not_call(UringCaller& caller) noexcept {
    if (caller.is_linked()) caller.unlink();
  }

  BufferRing& buffers() noexcept { return buffers_; }

  /// This thread runs the loop from here on. What was asked for on another thread is asked for again. Throws
  /// OSError: no ring can be set up.
  void enter_thread();
  /// The run is over: everything that was asked for goes to the kernel, and file operations come to their end.
  void settle() noexcept;
  void poll(std::int64_t timeout);

  std::size_t descriptors = 0;  // of streams and listeners

 private:
  bool is_up() const noexcept { return thread_ != 0; }
  bool is_ours() const noexcept;
  bool is_inherited() const noexcept;
  io_uring_sqe* next_entry() noexcept;
  io_uring_sqe* entry_for_sure();
  void prepare(UringOperation& operation, io_uring_sqe& entry) noexcept;
  bool is_unsubmitted(const UringOperation& operation) const noexcept;
  void withdraw(UringOperation& operation) noexcept;

  void submit_backlog();
  void enter(std::int64_t timeout);
  void submit();
  void reap() noexcept;
  void dispatch(std::uint64_t data, int result, std::uint32_t flags) noexcept;
  void discard(UringOperation& operation, int result, std::uint32_t flags) noexcept;
  void tear_down() noexcept;

  UringFeatures features_;
  std::size_t files_ = 0;  // file operations that were started and did not end
  io_uring ring_{};
  BufferRing buffers_;
  std::uint64_t thread_ = 0;  // whose ring it is; 0: none is set up
  int forks_ = 0;             // as many had been when it was set up
  bool cancelling_ = false;   // a cancellation was filled in and not submitted
  std::uint64_t requests_ = 0;  // entries that were filled, ever
  List backlog_;    // operations that wait for an entry
  List in_flight_;
  std::vector<std::uint64_t> cancels_;  // user data of operations to cancel, that wait for an entry
  UringOperation* dispatched_ = nullptr;
  List holders_;
  List to_call_;
};

std::unique_ptr<StreamDriver> make_uring_stream(UringRing& ring, int fd, StreamSink& sink);
std::unique_ptr<Listener> make_uring_listener(UringRing& ring, int fd, AcceptSink& sink);
std::unique_ptr<Poller> make_uring_poller(UringRing& ring);

}  // namespace eddy::detail

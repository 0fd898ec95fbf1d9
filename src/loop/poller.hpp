// SPDX-License-Identifier: MIT
// Readiness of descriptors: one interface, three system calls. Nothing above this door knows which.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace eddy::detail {

enum IoEvents : unsigned {
  kReadable = POLLIN,
  kWritable = POLLOUT,
  kHangup = POLLRDHUP,  // the peer closed its side, or an error is pending
  kGone = POLLHUP,      // of a hang-up: both directions are over, or an error is pending
};

/// From what poll(), epoll or io_uring tell.
inline unsigned io_events(unsigned told) noexcept {
  constexpr unsigned kOver = POLLHUP | POLLERR | POLLNVAL;
  const unsigned ready = told & (kReadable | kWritable);
  if (!(told & (kOver | POLLRDHUP))) [[likely]] return ready;
  return ready | kHangup | (told & kOver ? kGone : 0u);
}

/// A registered descriptor and whom to tell. At most one a descriptor; it must not move while registered.
struct IoWatch {
  int fd = -1;
  unsigned interest = 0;  // kReadable | kWritable | kHangup
  bool edge = false;      // tell of changes only. A poller that cannot tells the state: keep `interest` exact
  bool only_interest = false;  // edge: of changes in `interest` only; else of all, and update() costs nothing
  void (*on_events)(IoWatch&, unsigned events) noexcept = nullptr;
  void* request = nullptr;  // the poller's
};

class Poller {
 public:
  virtual ~Poller() = default;
  virtual std::string_view name() const noexcept = 0;
  /// The kernel object's own descriptor; -1: there is none.
  virtual int fd() const noexcept { return -1; }
  /// Whether `IoWatch::edge` is heeded: then nobody has to keep the interest of such a watch exact.
  virtual bool tells_edges() const noexcept { return false; }
  static constexpr int kBatch = 256;  // of epoll: the most that one wait() tells

  /// Throws OSError: a descriptor that cannot be polled, or that is watched already; ValueError: one above the limit of select().
  virtual void add(IoWatch& watch) = 0;
  /// `watch.interest` has changed.
  virtual void update(IoWatch& watch) = 0;
  /// No event of it is told from here on, not even one that the last wait() found.
  virtual void remove(IoWatch& watch) noexcept = 0;

  /// Waits up to `timeout` ns (negative: without end) and calls `on_events`. Returns early on a signal.
  virtual void wait(std::int64_t timeout) = 0;

  std::size_t watched = 0;  // descriptors that were added and not removed
};

std::unique_ptr<Poller> make_epoll_poller();
std::unique_ptr<Poller> make_poll_poller();
std::unique_ptr<Poller> make_select_poller();

}  // namespace eddy::detail

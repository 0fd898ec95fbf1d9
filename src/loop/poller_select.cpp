// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "loop/poller.hpp"
#include "loop/select_call.hpp"

namespace eddy::detail {
namespace {

class SelectPoller final : public Poller {
 public:
  std::string_view name() const noexcept override { return "select"; }

  void add(IoWatch& watch) override {
    if (watch.fd >= FD_SETSIZE) {
      throw ValueError(fmt::format("watch descriptor {}: select() takes descriptors below {}; choose poll or epoll",
                                   watch.fd, FD_SETSIZE));
    }
    const int failure = ::fcntl(watch.fd, F_GETFD) < 0 ? errno : watches_[watch.fd] ? EEXIST : 0;
    if (failure) throw_os_error(failure, fmt::format("watch descriptor {}", watch.fd));
    watches_[watch.fd] = &watch;
    ++watched;
    if (watch.fd >= end_) end_ = watch.fd + 1;
    update(watch);
  }

  void update(IoWatch& watch) override {
    set(reads_, watch.fd, (watch.interest & (kReadable | kHangup)) != 0);
    set(writes_, watch.fd, (watch.interest & kWritable) != 0);
  }

  void remove(IoWatch& watch) noexcept override {
    watches_[watch.fd] = nullptr;
    --watched;
    set(reads_, watch.fd, false);
    set(writes_, watch.fd, false);
    while (end_ > 0 && !watches_[end_ - 1]) --end_;
  }

  void wait(std::int64_t timeout) override {
    fd_set readable = reads_, writable = writes_;
    int left = select_call(end_, &readable, &writable, nullptr, timeout);
    if (left < 0 && errno != EINTR) throw_os_error(errno, "select");
    for (int fd = 0; left > 0 && fd < end_; ++fd) {
      unsigned events = (FD_ISSET(fd, &readable) ? kReadable : 0u) | (FD_ISSET(fd, &writable) ? kWritable : 0u);
      if (events == 0) continue;
      left -= (events & kReadable ? 1 : 0) + (events & kWritable ? 1 : 0);
      auto* watch = watches_[fd];
      if (!watch) continue;
      if ((events & kReadable) && !(watch->interest & kReadable) && at_end(fd)) events |= kHangup;
      watch->on_events(*watch, events);
    }
  }

 private:
  // select() has no word for "the peer is gone"; a look at the next byte has.
  static bool at_end(int fd) noexcept {
    char byte = 0;
    const auto count = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count >= 0 || errno != ENOTSOCK) return count == 0;
    pollfd pipe{fd, 0, 0};  // a pipe, which one cannot peek into
    return ::poll(&pipe, 1, 0) > 0 && (pipe.revents & (POLLHUP | POLLERR));
  }

  static void set(fd_set& all, int fd, bool on) noexcept {
    if (on) FD_SET(fd, &all);
    else FD_CLR(fd, &all);
  }

  IoWatch* watches_[FD_SETSIZE] = {};
  fd_set reads_{}, writes_{};
  int end_ = 0;  // one past the highest descriptor
};

}  // namespace

int select_call(int end, fd_set* readable, fd_set* writable, fd_set* exceptional, std::int64_t timeout) noexcept {
  const timespec limit{static_cast<time_t>(timeout / 1'000'000'000), static_cast<long>(timeout % 1'000'000'000)};
  return ::pselect(end, readable, writable, exceptional, timeout < 0 ? nullptr : &limit, nullptr);
}

std::unique_ptr<Poller> make_select_poller() { return std::make_unique<SelectPoller>(); }

}  // namespace eddy::detail

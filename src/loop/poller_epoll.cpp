// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <sys/epoll.h>

#include <cerrno>
#include <ctime>
#include <vector>

#include "base/unique_fd.hpp"
#include "loop/poller.hpp"

namespace eddy::detail {
namespace {

class EpollPoller final : public Poller {
 public:
  EpollPoller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw_os_error(errno, "epoll_create1");
  }

  std::string_view name() const noexcept override { return "epoll"; }

  void add(IoWatch& watch) override {
    const auto index = static_cast<std::size_t>(watch.fd);
    if (index >= slots_.size()) slots_.resize(index + 64);
    ++slots_[index].generation;
    control(EPOLL_CTL_ADD, watch);
    slots_[index].watch = &watch;
    ++watched;
  }

  void update(IoWatch& watch) override {
    if (!watch.edge) control(EPOLL_CTL_MOD, watch);
  }

  void remove(IoWatch& watch) noexcept override {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch.fd, nullptr);
    slots_[static_cast<std::size_t>(watch.fd)].watch = nullptr;
    --watched;
  }

  void wait(std::int64_t timeout) override {
    epoll_event events[256];
    const int count = wait_for(events, timeout);
    if (count < 0 && errno != EINTR) throw_os_error(errno, "epoll_wait");
    for (int i = 0; i < count; ++i) {
      // The descriptor may have been closed, and its number taken by another, since the kernel told of it.
      const auto& slot = slots_[static_cast<std::uint32_t>(events[i].data.u64)];
      if (!slot.watch || slot.generation != events[i].data.u64 >> 32) continue;
      slot.watch->on_events(*slot.watch, translate(events[i].events));
    }
  }

 private:
  struct Slot {
    IoWatch* watch = nullptr;
    std::uint32_t generation = 0;
  };

  int wait_for(epoll_event (&events)[256], std::int64_t timeout) noexcept {
    constexpr int kRoom = 256;
    if (timeout == 0) return ::epoll_wait(epoll_.get(), events, kRoom, 0);
    if (timeout < 0) return ::epoll_wait(epoll_.get(), events, kRoom, -1);
    if (has_pwait2_) {
      const timespec limit{static_cast<time_t>(timeout / 1'000'000'000), static_cast<long>(timeout % 1'000'000'000)};
      const int count = ::epoll_pwait2(epoll_.get(), events, kRoom, &limit, nullptr);
      if (count >= 0 || errno != ENOSYS) return count;
      has_pwait2_ = false;  // a kernel before 5.11: milliseconds, rounded up so that no timer is early
    }
    const auto milliseconds = (timeout + 999'999) / 1'000'000;
    return ::epoll_wait(epoll_.get(), events, kRoom, static_cast<int>(milliseconds > 86'400'000 ? 86'400'000 : milliseconds));
  }

  void control(int operation, IoWatch& watch) {
    epoll_event event{};
    event.events = watch.edge ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
                              : (watch.interest & kReadable ? EPOLLIN | EPOLLRDHUP : 0u) |
                                    (watch.interest & kWritable ? EPOLLOUT : 0u);
    const auto index = static_cast<std::uint32_t>(watch.fd);
    event.data.u64 = std::uint64_t{slots_[index].generation} << 32 | index;
    if (::epoll_ctl(epoll_.get(), operation, watch.fd, &event) != 0) {
      throw_os_error(errno, fmt::format("watch descriptor {}", watch.fd));
    }
  }

  static unsigned translate(std::uint32_t events) noexcept {
    return (events & EPOLLIN ? kReadable : 0u) | (events & EPOLLOUT ? kWritable : 0u) |
           (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) ? kHangup : 0u);
  }

  UniqueFd epoll_;
  std::vector<Slot> slots_;  // by descriptor
  bool has_pwait2_ = true;
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() { return std::make_unique<EpollPoller>(); }

}  // namespace eddy::detail

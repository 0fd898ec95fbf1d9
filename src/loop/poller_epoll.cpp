// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <vector>

#include "loop/epoll_core.hpp"
#include "loop/poller.hpp"

namespace eddy::detail {
namespace {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLRDHUP == POLLRDHUP && EPOLLHUP == POLLHUP && EPOLLERR == POLLERR);

class EpollPoller final : public Poller {
 public:
  std::string_view name() const noexcept override { return "epoll"; }
  int fd() const noexcept override { return epoll_.fd(); }
  bool tells_edges() const noexcept override { return true; }

  void add(IoWatch& watch) override {
    const auto index = static_cast<std::size_t>(watch.fd);
    if (index >= slots_.size()) slots_.resize(index + 64);
    ++slots_[index].generation;
    control(EPOLL_CTL_ADD, watch);
    slots_[index].watch = &watch;
    ++watched;
  }

  void update(IoWatch& watch) override {
    if (!watch.edge || watch.only_interest) control(EPOLL_CTL_MOD, watch);
  }

  void remove(IoWatch& watch) noexcept override {
    epoll_.control(EPOLL_CTL_DEL, watch.fd, 0, 0);
    slots_[static_cast<std::size_t>(watch.fd)].watch = nullptr;
    --watched;
  }

  void wait(std::int64_t timeout) override {
    epoll_event events[kBatch];
    const int count = epoll_.wait(events, timeout);
    if (count < 0 && errno != EINTR) throw_os_error(errno, "epoll_wait");
    for (int i = 0; i < count; ++i) {
      // The descriptor may have been closed, and its number taken by another, since the kernel told of it.
      const auto& slot = slots_[static_cast<std::uint32_t>(events[i].data.u64)];
      if (!slot.watch || slot.generation != events[i].data.u64 >> 32) continue;
      slot.watch->on_events(*slot.watch, io_events(events[i].events));
    }
  }

 private:
  struct Slot {
    IoWatch* watch = nullptr;
    std::uint32_t generation = 0;
  };

  void control(int operation, IoWatch& watch) {
    const auto asked = (watch.interest & kReadable ? EPOLLIN | EPOLLRDHUP : 0u) |
                       (watch.interest & kWritable ? EPOLLOUT : 0u);
    const auto events = watch.only_interest ? asked | (watch.edge ? static_cast<unsigned>(EPOLLET) : 0u)
                        : watch.edge        ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
                                            : asked;
    const auto index = static_cast<std::uint32_t>(watch.fd);
    const auto data = std::uint64_t{slots_[index].generation} << 32 | index;
    if (const int failure = epoll_.control(operation, watch.fd, events, data)) {
      throw_os_error(failure, fmt::format("watch descriptor {}", watch.fd));
    }
  }

  EpollCore epoll_;
  std::vector<Slot> slots_;  // by descriptor
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() { return std::make_unique<EpollPoller>(); }

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <vector>

#include "loop/poll_table.hpp"
#include "loop/poller.hpp"

namespace eddy::detail {
namespace {

class PollPoller final : public Poller {
 public:
  std::string_view name() const noexcept override { return "poll"; }

  void add(IoWatch& watch) override {
    const auto index = static_cast<std::size_t>(watch.fd);
    const int failure = ::fcntl(watch.fd, F_GETFD) < 0 ? errno : table_.has(watch.fd) ? EEXIST : 0;
    if (failure) throw_os_error(failure, fmt::format("watch descriptor {}", watch.fd));
    if (index >= watches_.size()) watches_.resize(index + 64);
    table_.add(watch.fd, 0);
    update(watch);
    watches_[index] = &watch;
    ++watched;
  }

  void update(IoWatch& watch) override {
    if (const int events = events_for(watch)) table_.change(watch.fd, events);
    else table_.mute(watch.fd);
  }

  void remove(IoWatch& watch) noexcept override {
    table_.remove(watch.fd);
    watches_[static_cast<std::size_t>(watch.fd)] = nullptr;
    --watched;
  }

  void wait(std::int64_t timeout) override {
    const int ready = table_.wait(timeout);
    if (ready < 0 && errno != EINTR) throw_os_error(errno, "poll");
    table_.each_ready(ready, [this](int fd, unsigned events) {
      auto& watch = *watches_[static_cast<std::size_t>(fd)];
      watch.on_events(watch, io_events(events));
    });
  }

 private:
  static int events_for(const IoWatch& watch) noexcept {
    return (watch.interest & kReadable ? POLLIN | POLLRDHUP : 0) | (watch.interest & kWritable ? POLLOUT : 0) |
           (watch.interest & kHangup ? POLLRDHUP : 0);
  }

  PollTable table_;
  std::vector<IoWatch*> watches_;  // by descriptor
};

}  // namespace

std::unique_ptr<Poller> make_poll_poller() { return std::make_unique<PollPoller>(); }

}  // namespace eddy::detail

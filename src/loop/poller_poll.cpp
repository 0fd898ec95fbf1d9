// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <ctime>
#include <vector>

#include "loop/poller.hpp"

namespace eddy::detail {
namespace {

class PollPoller final : public Poller {
 public:
  std::string_view name() const noexcept override { return "poll"; }

  void add(IoWatch& watch) override {
    if (::fcntl(watch.fd, F_GETFD) < 0) throw_os_error(errno, fmt::format("watch descriptor {}", watch.fd));
    const auto index = static_cast<std::size_t>(watch.fd);
    if (index >= positions_.size()) positions_.resize(index + 64, kNowhere);
    positions_[index] = entries_.size();
    entries_.push_back(entry_for(watch));
    watches_.push_back(&watch);
    ++watched;
  }

  void update(IoWatch& watch) override { entries_[position(watch)] = entry_for(watch); }

  void remove(IoWatch& watch) noexcept override {
    const auto at = position(watch);
    positions_[static_cast<std::size_t>(watch.fd)] = kNowhere;
    // While wait() goes through the entries they keep their places; holes are closed afterwards.
    entries_[at].fd = -1;
    entries_[at].revents = 0;
    watches_[at] = nullptr;
    has_holes_ = true;
    --watched;
  }

  void wait(std::int64_t timeout) override {
    close_holes();
    const timespec limit{static_cast<time_t>(timeout / 1'000'000'000), static_cast<long>(timeout % 1'000'000'000)};
    int left = ::ppoll(entries_.data(), entries_.size(), timeout < 0 ? nullptr : &limit, nullptr);
    if (left < 0 && errno != EINTR) throw_os_error(errno, "poll");
    for (std::size_t i = 0; left > 0 && i < entries_.size(); ++i) {
      const auto events = static_cast<unsigned>(entries_[i].revents);
      if (events == 0) continue;
      --left;
      entries_[i].revents = 0;
      if (auto* watch = watches_[i]) watch->on_events(*watch, translate(events));
    }
  }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  std::size_t position(const IoWatch& watch) const noexcept {
    return positions_[static_cast<std::size_t>(watch.fd)];
  }

  // poll() tells of a hang-up whether asked or not: with no interest at all the entry must be a hole.
  static pollfd entry_for(const IoWatch& watch) noexcept {
    const int events = (watch.interest & kReadable ? POLLIN | POLLRDHUP : 0) |
                       (watch.interest & kWritable ? POLLOUT : 0) | (watch.interest & kHangup ? POLLRDHUP : 0);
    return {events ? watch.fd : -1, static_cast<short>(events), 0};
  }
  static unsigned translate(unsigned events) noexcept {
    return (events & POLLIN ? kReadable : 0u) | (events & POLLOUT ? kWritable : 0u) |
           (events & (POLLHUP | POLLERR | POLLRDHUP | POLLNVAL) ? kHangup : 0u);
  }

  void close_holes() {
    if (!has_holes_) return;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (!watches_[i]) continue;
      entries_[kept] = entries_[i];
      watches_[kept] = watches_[i];
      positions_[static_cast<std::size_t>(watches_[kept]->fd)] = kept;
      ++kept;
    }
    entries_.resize(kept);
    watches_.resize(kept);
    has_holes_ = false;
  }

  std::vector<pollfd> entries_;
  std::vector<IoWatch*> watches_;        // beside entries_; null: removed
  std::vector<std::size_t> positions_;  // by descriptor
  bool has_holes_ = false;
};

}  // namespace

std::unique_ptr<Poller> make_poll_poller() { return std::make_unique<PollPoller>(); }

}  // namespace eddy::detail

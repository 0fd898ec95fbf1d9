// SPDX-License-Identifier: MIT
#include "loop/poll_table.hpp"

#include <ctime>

namespace eddy::detail {

void PollTable::add(int fd, int events) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= positions_.size()) positions_.resize(index + 64, kNowhere);
  entries_.push_back({-1, 0, 0});
  try {
    owners_.push_back(fd);
  } catch (...) {
    entries_.pop_back();
    throw;
  }
  positions_[index] = entries_.size() - 1;
  change(fd, events);
}

void PollTable::remove(int fd) noexcept {
  const auto at = positions_[static_cast<std::size_t>(fd)];
  positions_[static_cast<std::size_t>(fd)] = kNowhere;
  // While each_ready() goes through the entries they keep their places; holes are closed afterwards.
  entries_[at] = {-1, 0, 0};
  owners_[at] = -1;
  has_holes_ = true;
}

int PollTable::wait(std::int64_t timeout) noexcept {
  close_holes();
  const timespec limit{static_cast<time_t>(timeout / 1'000'000'000), static_cast<long>(timeout % 1'000'000'000)};
  return ::ppoll(entries_.data(), entries_.size(), timeout < 0 ? nullptr : &limit, nullptr);
}

void PollTable::close_holes() noexcept {
  if (!has_holes_) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (owners_[i] < 0) continue;
    entries_[kept] = entries_[i];
    owners_[kept] = owners_[i];
    positions_[static_cast<std::size_t>(owners_[kept])] = kept;
    ++kept;
  }
  entries_.resize(kept);
  owners_.resize(kept);
  has_holes_ = false;
}

}  // namespace eddy::detail

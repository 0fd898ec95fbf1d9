// SPDX-License-Identifier: MIT
// The bytes that the kernel has not taken yet. What is written while nothing is queued goes to the kernel from
// where it stands, and only what is left of it is copied.
//
// Copies stand in a backlog that is borrowed from a per-thread cache while there are any: a connection whose peer takes
// everything has none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace eddy::detail {

class WriteQueue {
 public:
  WriteQueue() noexcept = default;
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;
  ~WriteQueue() { drop(); }

  std::size_t size() const noexcept { return backlog_ ? backlog_->bytes.size() - backlog_->begin : 0; }
  bool empty() const noexcept { return size() == 0; }

  void append(std::string_view data) {
    if (!data.empty()) backlog().bytes.append(data);
  }

  /// For an empty queue: offers `data` to `flush()`, which calls next() and sent(), and keeps the rest.
  template <class Flush>
  void write_through(std::string_view data, Flush flush) {
    direct_ = data;
    flush();
    append(std::exchange(direct_, {}));
  }

  /// What to send next; none: the queue is empty.
  std::string_view next() const noexcept {
    if (!direct_.empty() || !backlog_) return direct_;
    return std::string_view(backlog_->bytes).substr(backlog_->begin);
  }

  /// True: they were queued bytes, so there is more room than before.
  bool sent(std::size_t count) noexcept {
    if (!direct_.empty()) {
      direct_.remove_prefix(count);
      return false;
    }
    auto& [bytes, begin] = *backlog_;
    begin += count;
    if (begin == bytes.size()) {
      drop();
    } else if (begin > kKept && begin > bytes.size() / 2) {
      bytes.erase(0, begin);
      begin = 0;
    }
    return true;
  }

  void clear() noexcept {
    drop();
    direct_ = {};
  }

 private:
  static constexpr std::size_t kKept = 64 * 1024;  // the most memory that a spare backlog keeps

  struct Backlog {
    std::string bytes;
    std::size_t begin = 0;  // of those that have not gone
  };
  struct Cache;
  Backlog& backlog();
  void drop() noexcept;

  Backlog* backlog_ = nullptr;  // null: nothing is queued
  std::string_view direct_;     // being written: goes first
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// The bytes that the kernel has not taken yet. What is written while nothing is queued goes to the kernel from
// where it stands, and only what is left of it is copied.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace eddy::detail {

class WriteQueue {
 public:
  std::size_t size() const noexcept { return bytes_.size() - begin_; }
  bool empty() const noexcept { return size() == 0; }

  void append(std::string_view data) { bytes_.append(data); }

  /// For an empty queue: offers `data` to `flush()`, which calls next() and sent(), and keeps the rest.
  template <class Flush>
  void write_through(std::string_view data, Flush flush) {
    direct_ = data;
    flush();
    if (!direct_.empty()) bytes_.assign(direct_);
    begin_ = 0;
    direct_ = {};
  }

  /// What to send next: one piece, or 0 of them.
  std::size_t next(iovec* pieces) noexcept {
    const auto bytes = direct_.empty() ? std::string_view(bytes_).substr(begin_) : direct_;
    if (bytes.empty()) return 0;
    pieces[0] = {const_cast<char*>(bytes.data()), bytes.size()};
    return 1;
  }

  /// True: they were queued bytes, so there is more room than before.
  bool sent(std::size_t count) noexcept {
    if (!direct_.empty()) {
      direct_.remove_prefix(count);
      return false;
    }
    begin_ += count;
    if (begin_ == bytes_.size()) {
      begin_ = 0;
      if (bytes_.capacity() > kKept) bytes_ = {};
      else bytes_.clear();
    } else if (begin_ > kKept && begin_ > bytes_.size() / 2) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
    return true;
  }

  void clear() noexcept {
    bytes_.clear();
    begin_ = 0;
    direct_ = {};
  }

 private:
  static constexpr std::size_t kKept = 64 * 1024;  // the most memory an empty queue keeps

  std::string bytes_;
  std::size_t begin_ = 0;
  std::string_view direct_;  // being written: goes first
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// An open file behind its handle and behind the operations under way, which may outlive the handle.
#pragma once

#include <eddy/exceptions.hpp>
#include <eddy/fs.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace eddy::detail {

class FileCore {
 public:
  FileCore(UniqueFd descriptor, std::string name, bool append);

  /// Throws ValueError: "read 'path': the file is closed".
  int open_fd(std::string_view operation) const;

  /// Bytes from where it stands, at least one unless the file has ended, into `into`.
  static Coro<std::size_t> read_some(std::shared_ptr<FileCore> self, std::span<char> into);
  static Coro<std::string> read_all(std::shared_ptr<FileCore> self);
  static Coro<std::string> read_line(std::shared_ptr<FileCore> self, std::size_t limit);
  static Coro<> write(std::shared_ptr<FileCore> self, std::string data);
  static Coro<std::int64_t> seek(std::shared_ptr<FileCore> self, std::int64_t offset, fs::Whence whence);

  /// What was read ahead and not asked for yet.
  std::string_view ahead() const noexcept { return std::string_view(buffer_).substr(taken_); }
  /// Where the user is: before what was read ahead.
  std::int64_t position() const noexcept { return position_ - static_cast<std::int64_t>(ahead().size()); }

  /// One operation that moves the position at a time.
  class Turn {
   public:
    Turn(FileCore& file, std::string_view operation);
    Turn(const Turn&) = delete;
    ~Turn() { file_.busy_ = false; }

   private:
    FileCore& file_;
  };

  UniqueFd fd;
  const std::string path;
  const bool append;

 private:
  Coro<bool> fill();
  void forget_ahead() noexcept;

  bool seekable_;
  bool busy_ = false;
  std::int64_t position_ = 0;  // of the descriptor, as we see it: behind what was read ahead
  std::string buffer_;
  std::size_t taken_ = 0;  // bytes of the buffer that were given out
};

fs::Stat stat_of(int fd, const char* path, bool follow, int& error) noexcept;

}  // namespace eddy::detail

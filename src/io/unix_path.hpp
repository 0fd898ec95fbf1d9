// SPDX-License-Identifier: MIT
// The file of a Unix socket that listens: who may have the path, and who removes it.
#pragma once

#include <eddy/addresses.hpp>
#include <sys/types.h>

#include <string>
#include <utility>

#include "base/unique_fd.hpp"

namespace eddy::detail {

/// A listening, non-blocking Unix stream socket. A socket's file at the path on which nobody listens is removed
/// before. `mode`: the file's permissions; -1: the umask's. Throws OSError that names the path.
UniqueFd listen_on_path(const Address& address, int backlog, int mode);

/// The file that a socket was bound to, known by its inode.
class SocketFile {
 public:
  SocketFile() noexcept = default;
  /// Of an abstract name: none.
  explicit SocketFile(const Address& address) noexcept;
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept {
    path_.swap(other.path_);
    device_ = other.device_;
    inode_ = other.inode_;
    return *this;
  }

  /// Unless another file has taken its place. Twice does nothing.
  void remove() noexcept;

 private:
  std::string path_;  // empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace eddy {

/// The address of a socket: IPv4 or IPv6 with a port, or the path of a Unix socket.
class Address {
 public:
  Address() noexcept = default;
  /// A numeric address: "127.0.0.1", "::1", "fe80::1%eth0". Throws ValueError for anything else, and for a
  /// port beyond 65535.
  Address(std::string_view host, int port);

  /// Of a Unix socket: a path of at most 107 bytes; with "@" or a zero byte in front, an abstract name, which is no file
  /// (the file "@x" is "./@x"); empty: the system chooses an abstract name where it is bound to. Throws ValueError.
  static Address from_path(std::string_view path);

  /// "127.0.0.1", "::1"; of a Unix socket its path, or "@name" for an abstract one.
  std::string host() const;
  /// 0 for a Unix socket.
  int port() const noexcept;
  /// "127.0.0.1:80", "[::1]:80".
  std::string str() const;
  explicit operator bool() const noexcept { return size_ != 0; }
  friend bool operator==(const Address& a, const Address& b) noexcept;

  /// A `sockaddr` and its size, for system calls.
  const void* data() const noexcept { return storage_; }
  std::uint32_t size() const noexcept { return size_; }
  int family() const noexcept;
  static Address from_data(const void* sockaddr, std::size_t size) noexcept;

 private:
  alignas(8) unsigned char storage_[128] = {};  // a sockaddr_storage
  std::uint32_t size_ = 0;
};

/// Who made the other end of a Unix socket, as the kernel knows it: SO_PEERCRED.
struct PeerCredentials {
  int pid;  // 0: in a container of which we see nothing
  unsigned uid, gid;
  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

}  // namespace eddy

// SPDX-License-Identifier: MIT
// Where the sockets of inspectable processes lie, and who may use them.
#pragma once

#include <sys/un.h>

#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace eddy::detail {

/// $XDG_RUNTIME_DIR/eddy, or /tmp/eddy-UID.
std::string inspect_directory();
/// Makes it, if it is not there. Throws OSError, or RuntimeError if others could change it: it must be a
/// directory of this user with mode 0700.
void secure_directory(const std::string& directory);

std::string socket_of(const std::string& directory, int pid);
/// The pids that have a socket there.
std::vector<int> sockets_in(const std::string& directory);

/// Throws RuntimeError if the path is too long for a socket's address.
sockaddr_un address_of_socket(const std::string& path);
/// Connects. Nothing if nobody listens: errno tells why.
UniqueFd connect_to_socket(const std::string& path);
/// Whether the other side of a connection is of this user, or root; its pid.
bool is_own_peer(int fd, int& pid) noexcept;

/// For both ends: reads and writes fail after `milliseconds`.
void limit_waits(int fd, long milliseconds) noexcept;
bool send_all(int fd, const std::string& text) noexcept;

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// The system calls on sockets that do not wait, once each: what Socket and the loop's sock_ calls share. They give what
// the call gives, -1 and errno included, and go on after signals.
#pragma once

#include <eddy/sockets.hpp>
#include <sys/types.h>

#include <string>

namespace eddy::detail {

ssize_t receive(int fd, std::span<char> room, int flags) noexcept;
ssize_t receive_from(int fd, std::span<char> room, int flags, Address& from) noexcept;
ssize_t send_some(int fd, std::string_view data, int flags) noexcept;
ssize_t send_to(int fd, std::string_view data, int flags, const Address& address) noexcept;
int accept_one(int fd, int flags, Address& from) noexcept;

/// Throws ValueError for no byte, and for more descriptors than the kernel takes.
void check_descriptors_to_send(std::string_view data, const std::vector<int>& descriptors);
ssize_t send_descriptors(int fd, std::string_view data, const std::vector<int>& descriptors, int flags) noexcept;
ssize_t receive_descriptors(int fd, std::size_t n, std::size_t most, int flags, ReceivedDescriptors& received);

/// Begins to connect: 0, or errno; EINPROGRESS for one that goes on, by a signal too.
int begin_connect(int fd, const Address& address) noexcept;
int pending_error(int fd) noexcept;

/// sendfile() from a place of the file; its position stays.
ssize_t send_file_some(int fd, int file, std::size_t offset, std::size_t count) noexcept;

/// Keeps errno. For errors: "receive from 127.0.0.1:80", "receive from descriptor 5" where there is no peer.
std::string operation_on(const char* operation, int fd);

}  // namespace eddy::detail

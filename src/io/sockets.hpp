// SPDX-License-Identifier: MIT
// Sockets before they are streams: making, connecting, listening, naming.
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"

namespace eddy {
struct ConnectionOptions;
}

namespace eddy::detail {

/// Empty if the descriptor is none of a connected socket.
Address peer_of(int fd) noexcept;
Address local_of(int fd) noexcept;

/// Throws ValueError: "connect: port 70000 is outside of 0 to 65535".
void check_port(std::string_view operation, int port);

/// A connected, non-blocking TCP socket. Throws OSError.
Coro<UniqueFd> connect_to(Address remote, Address local);

/// The same to a Unix socket; a server whose queue is full is waited for.
Coro<UniqueFd> connect_to_path(std::string path, Address local);

/// connect_to() whichever answers first: the next is tried when one has failed or is slow, as RFC 8305 has it. When all
/// have failed, the error tells of each. `name`: of the host, for that.
Coro<UniqueFd> connect_to_any(std::string name, std::vector<Address> addresses, Address local,
                              Duration delay = std::chrono::milliseconds(250), int interleave = 1);
/// The same to the first address of a host that can be reached. Throws as open_connection() does.
Coro<UniqueFd> connect_to_host(std::string host, int port, ConnectionOptions options);

/// A listening, non-blocking TCP socket. Throws OSError that names the address.
UniqueFd listen_on(const Address& address, int backlog, bool reuse_address, bool reuse_port);

void set_nodelay(int fd) noexcept;

/// Connects a non-blocking socket of any kind. Throws OSError that names the address.
Coro<> connect_socket(int fd, Address address);
/// SO_PEERCRED of a Unix socket. Throws OSError for others.
PeerCredentials credentials_of(int fd);

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Sockets that the program brings: asyncio's `sock=`.
#pragma once

#include <eddy/sockets.hpp>

#include <string>

#include "base/unique_fd.hpp"

namespace eddy {
struct ConnectionOptions;
}

namespace eddy::detail {

/// The descriptor of a bound stream socket, non-blocking and listening. One that listens already keeps its backlog.
/// Throws ValueError for a closed socket and for one of another type, and OSError; the socket is closed then.
UniqueFd take_listening(Socket&& socket, int backlog, const char* operation);

/// The descriptor of a connected stream socket, non-blocking. Throws the same; OSError (ENOTCONN) if it is not connected.
UniqueFd take_connected(Socket&& socket, const char* operation);

/// `options.server_hostname`. Throws ValueError if the context of `options.tls` has to check it and there is none.
std::string given_host(const ConnectionOptions& options, const char* operation);

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// How a stream gets TLS.
#pragma once

#include <eddy/coro.hpp>
#include <eddy/streams.hpp>
#include <eddy/tls.hpp>

#include <string>

namespace eddy::detail {

/// Puts TLS on an open stream and waits for the handshake; aborts the stream if that fails. `host`: see TlsSession.
Coro<> put_tls_on(StreamHandle stream, tls::Context context, std::string host, Duration handshake_timeout,
                  Duration shutdown_timeout);

/// Whose certificate start_tls() shall see: `host`, or nobody's on a server's side. Throws ValueError if it has to be told.
std::string start_tls_host(const tls::Context& context, std::string host);

/// Throws ValueError unless the context is for the side that is wanted.
void check_tls_side(const tls::Context& context, bool server, const char* operation);

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>

#include "io/tls_session.hpp"

namespace eddy::detail {

/// The exception for a session that failed. `operation`: "TLS handshake with localhost (127.0.0.1:443)"; `peer`: whom
/// a refused certificate was meant to show.
std::exception_ptr make_tls_error(const TlsFailure& failure, const std::string& operation, const std::string& peer);

}  // namespace eddy::detail

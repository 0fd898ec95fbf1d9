// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/tls.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "io/tls_openssl.hpp"

namespace eddy::detail {

/// The host names and IP addresses that a certificate is for.
std::vector<std::string> names_of(const X509* certificate);
tls::Certificate certificate_of(X509* x509);
/// All in a PEM text, in order; what is no certificate is passed over. Throws ValueError for a damaged block.
std::vector<OwnedX509> read_certificates(std::string_view pem);
/// Throws OSError: "tls::client: open 'ca.pem': No such file or directory".
std::string read_pem_file(std::string_view operation, const std::string& path);

}  // namespace eddy::detail

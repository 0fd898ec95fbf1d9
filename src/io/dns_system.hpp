// SPDX-License-Identifier: MIT
// The C library's resolver. It blocks.
#pragma once

#include <string>

#include "io/dns_cache.hpp"

namespace eddy::detail {

NameReply system_addresses(const std::string& host, int family);
NameReply system_name(const Address& address);
/// The name of a port, by /etc/services and its kin; its number without one. `flags`: NI_DGRAM, NI_NUMERICSERV.
std::string system_service(int port, int flags);

}  // namespace eddy::detail

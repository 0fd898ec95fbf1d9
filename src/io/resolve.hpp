// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/dns.hpp>

#include <memory>
#include <string>
#include <vector>

namespace eddy::detail {

class ResolverCore;

enum class Hurry : bool { no, yes };  // yes: one family's addresses will do if the other's are late

/// Numeric addresses at once, names by a resolver; null: the running loop's. Throws GaiError.
Coro<std::vector<Address>> resolve(std::shared_ptr<ResolverCore> resolver, std::string host, int port,
                                   LookupOptions options, Hurry hurry);

/// By the loop's resolver, to listen on; "" is every interface.
inline Coro<std::vector<Address>> resolve_passive(std::string host, int port) {
  return resolve(nullptr, std::move(host), port, {.passive = true}, Hurry::no);
}

/// The address with another port.
Address with_port(const Address& address, int port) noexcept;

}  // namespace eddy::detail

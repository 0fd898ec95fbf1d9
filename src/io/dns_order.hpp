// SPDX-License-Identifier: MIT
// Which address of a host to try first: RFC 6724, section 6.
#pragma once

#include <eddy/addresses.hpp>

#include <vector>

namespace eddy::detail {

struct Destination {
  Address address;
  Address source;  // from where the system would send to it; empty: it cannot be reached
};

/// The rules 1, 2, 5, 6, 8, 9 and 10. The others want to know what a socket does not tell: whether the source is
/// deprecated, a mobile's home, or of a tunnel.
void order_destinations(std::vector<Destination>& destinations);

/// The same with the sources that this machine has now. A system call or three an address; none for one alone.
void order_addresses(std::vector<Address>& addresses);

}  // namespace eddy::detail

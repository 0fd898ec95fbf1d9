// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/coro.hpp>

#include <string>
#include <vector>

namespace eddy::detail {

/// Numeric addresses at once, names by the system's resolver on a thread. `passive`: to listen on; "" is
/// every interface. Throws GaiError.
Coro<std::vector<Address>> resolve(std::string host, int port, bool passive);

}  // namespace eddy::detail

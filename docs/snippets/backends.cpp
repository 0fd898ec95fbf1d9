// SPDX-License-Identifier: MIT
#include <eddy/backends.hpp>

#include <iostream>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::Coro;

static Coro<> serve() { co_await eddy::sleep(1ms); }

void backends_program() {
  // [choose]
  eddy::run(serve());                                     // $ EDDY_BACKEND=io_uring ./server
  eddy::run(serve(), {.backend = eddy::Backend::epoll});  // whatever the environment says
  // [/choose]
  // [statuses]
  for (const auto& status : eddy::backend_statuses()) {
    std::cout << eddy::to_string(status.backend) << ": " << (status.usable ? "yes" : status.reason) << '\n';
  }
  // [/statuses]
}

// SPDX-License-Identifier: MIT
#include <eddy/tasks.hpp>

struct alignas(64) CacheLine {
  char bytes[64];
};

eddy::Coro<CacheLine> wrong() { co_return CacheLine{}; }

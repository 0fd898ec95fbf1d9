// SPDX-License-Identifier: MIT
// error: eddy: a coroutine's result cannot be over-aligned
#include <eddy/eddy.hpp>

struct alignas(64) Line { char bytes[64]; };
eddy::Coro<Line> f() { co_return Line(); }

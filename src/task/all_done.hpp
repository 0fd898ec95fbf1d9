// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/coro.hpp>
#include <eddy/tasks.hpp>

#include <vector>

namespace eddy::detail {

/// Waits until all of them are done, whatever they threw.
Coro<> wait_for_all(const std::vector<AnyTask>& tasks);

}  // namespace eddy::detail

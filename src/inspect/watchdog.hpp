// SPDX-License-Identifier: MIT
// Tells of steps that block a loop, while they block it.
//
// A thread looks at the loops some forty times a second: at a counter that each changes with whatever it
// does. A loop that is awake and whose counter stands still for the limit is in one step for so long. The
// loops themselves pay nothing for it.
#pragma once

#include <eddy/clock.hpp>

#include "loop/loop.hpp"

namespace eddy::detail {

/// Watches every loop of the process for steps longer than `limit`, until watch_all_loops(Duration()).
void watch_all_loops(Duration limit);
/// Watches the loops that are in debug mode: to be called when one enters it.
void watch_debug_loops();

/// How long a loop has been known to be in the step that `progress` names; 0 if it is not watched. Under a
/// LoopsLock.
Duration time_in_step(const Loop& loop, std::uint64_t progress) noexcept;

}  // namespace eddy::detail

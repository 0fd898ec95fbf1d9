// SPDX-License-Identifier: MIT
// Asking loops from another thread.
//
// Each loop is sent a request through its inbox and answers when it turns; an idle one is woken for it. One
// that has not answered in 200 ms is in a long step: nothing of it is read then but what a signal handler on
// its own thread finds (sample.hpp).
#pragma once

#include <vector>

#include "inspect/snapshot.hpp"

namespace eddy::detail {

/// Every loop of the process.
std::vector<LoopSnapshot> ask_all_loops();
/// Calls EventLoop::set_debug() of each loop, on its thread, when it comes to it.
void set_debug_of_all_loops(bool on);

}  // namespace eddy::detail

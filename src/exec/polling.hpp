// SPDX-License-Identifier: MIT
// Blocking in poll() until a deadline.
#pragma once

#include <eddy/detail/blocking_state.hpp>
#include <poll.h>

#include <span>

namespace eddy::detail {

/// For poll(): milliseconds, rounded up so that it never ends early; -1 for Duration::max(), without end.
int poll_milliseconds(Duration left) noexcept;

/// Blocks until something is ready, through signals: how many; 0: the deadline has passed. Throws OSError, which
/// begins with `operation`.
int poll_until(std::span<pollfd> entries, const Deadline& deadline, const char* operation);

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Who made a coroutine: the stacks of those that took blocks from the frame pool, in debug mode.
#pragma once

#include "base/native_stack.hpp"

namespace eddy::detail {

/// Begins or ends to keep the stack of whoever takes a block of this thread's pool. While it is on, the pool holds
/// no blocks, so that each one comes by the slow path; the fast path is what it always is.
void keep_frame_origins(bool on) noexcept;

/// The stack of who took a block that this thread holds; null: it is not known.
const NativeStack* frame_origin(const void* block) noexcept;

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace eddy::fs {

/// remove_tree() on this thread, for destructors: whatever cannot be removed stays.
void remove_tree_here(const std::string& path) noexcept;

}  // namespace eddy::fs

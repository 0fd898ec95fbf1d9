// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>

/// The descriptors that this process has open.
inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

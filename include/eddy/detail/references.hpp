// SPDX-License-Identifier: MIT
// Counted references of objects that several threads may share (for everything that has handles).
#pragma once

#include <cstdint>

namespace eddy::detail {

inline void add_reference(std::uint32_t& count) noexcept { __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED); }

/// Nobody but the caller, who has one, can count.
inline bool is_only_reference(const std::uint32_t& count) noexcept { return __atomic_load_n(&count, __ATOMIC_ACQUIRE) == 1; }

/// True: it was the last. The holder of the only one needs no locked instruction to give it up.
inline bool drop_reference(std::uint32_t& count) noexcept {
  return is_only_reference(count) || __atomic_sub_fetch(&count, 1, __ATOMIC_ACQ_REL) == 0;
}

}  // namespace eddy::detail

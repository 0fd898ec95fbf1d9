// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Stops the run if a rule of a fuzz target does not hold.
inline void require(bool holds, std::string_view rule) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(rule.size()), rule.data());
  std::abort();
}

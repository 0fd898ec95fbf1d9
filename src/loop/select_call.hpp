// SPDX-License-Identifier: MIT
#pragma once

#include <sys/select.h>

#include <cstdint>

namespace eddy::detail {

/// select() of the descriptors below `end` for up to `timeout` ns, negative: without end.
int select_call(int end, fd_set* readable, fd_set* writable, fd_set* exceptional, std::int64_t timeout) noexcept;

}  // namespace eddy::detail

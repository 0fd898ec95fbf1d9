// SPDX-License-Identifier: MIT
#include "exec/polling.hpp"

#include <eddy/exceptions.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace eddy::detail {

int poll_milliseconds(Duration left) noexcept {
  if (left == Duration::max()) return -1;
  return static_cast<int>(
      std::clamp<std::int64_t>((left.count() + 999'999) / 1'000'000, 0, std::numeric_limits<int>::max()));
}

int poll_until(std::span<pollfd> entries, const Deadline& deadline, const char* operation) {
  for (;;) {
    const int count = ::poll(entries.data(), entries.size(), poll_milliseconds(deadline.left()));
    if (count > 0) return count;
    if (count < 0 && errno != EINTR) throw_os_error(errno, operation);
    if (count == 0 && deadline.left() <= Duration()) return 0;
  }
}

}  // namespace eddy::detail

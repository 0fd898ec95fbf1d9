// SPDX-License-Identifier: MIT
// Whether a page that failed is asked for again, and when. Pure.
#pragma once

#include <chrono>
#include <eddy/clock.hpp>
#include <eddy/crawl/spider.hpp>
#include <optional>
#include <string_view>

namespace eddy::crawl {

/// Statuses that another try may mend: 408, 429 and 5xx but for those that say "never" (501, 505).
bool is_passing(int status) noexcept;

/// How long to wait before the next try; nothing if there is none. `tries`: how many failed, at least 1.
/// `retry_after`: what the server asked for; longer than `retry.max_wait` means no other try.
std::optional<Duration> retry_wait(const Retry& retry, int tries, std::optional<Duration> retry_after = {}) noexcept;

/// The value of a Retry-After field: seconds or a date (RFC 9110 10.2.3). Nothing if it is neither.
std::optional<Duration> parse_retry_after(std::string_view field, std::chrono::sys_seconds now) noexcept;

}  // namespace eddy::crawl

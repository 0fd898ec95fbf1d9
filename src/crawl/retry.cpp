// SPDX-License-Identifier: MIT
#include "crawl/retry.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <eddy/http/date.hpp>

namespace eddy::crawl {

bool is_passing(int status) noexcept {
  if (status == 408 || status == 429) return true;
  return status >= 500 && status <= 599 && status != 501 && status != 505;
}

std::optional<Duration> retry_wait(const Retry& retry, int tries, std::optional<Duration> retry_after) noexcept {
  if (tries > retry.tries) return std::nullopt;
  const auto longest = static_cast<double>(retry.max_wait.count());
  const auto grown = static_cast<double>(retry.first_wait.count()) * std::pow(std::max(retry.factor, 1.0), tries - 1);
  const auto wait = Duration::nanoseconds(static_cast<std::int64_t>(std::min(grown, longest)));
  if (!retry_after) return wait;
  if (*retry_after > retry.max_wait) return std::nullopt;
  return std::max(wait, *retry_after);
}

std::optional<Duration> parse_retry_after(std::string_view field, std::chrono::sys_seconds now) noexcept {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), seconds);
  if (error == std::errc() && end == field.data() + field.size() && seconds >= 0) {
    return Duration(std::chrono::seconds(seconds));
  }
  const auto date = http::parse_date(field);
  if (!date) return std::nullopt;
  return Duration(std::max(*date - now, std::chrono::seconds(0)));
}

}  // namespace eddy::crawl

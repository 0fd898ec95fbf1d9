// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>  // libstdc++: durations without calendars and streams, a tenth of <chrono>'s cost
#else
#include <chrono>
#endif
#include <concepts>

namespace eddy {

namespace detail {
[[noreturn]] void throw_not_a_duration();
}

/// A length of time in nanoseconds, made from any `std::chrono` duration: `5s`, `100ms`, `0.5s`.
///
/// Longer ones than 146 years count as 146 years; a floating-point NaN throws ValueError.
class Duration {
 public:
  constexpr Duration() noexcept = default;

  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> length) {  // implicit: 100ms is a Duration
    if constexpr (std::integral<Rep>) {
      using Ratio = std::ratio_divide<Period, std::nano>;
      const __int128 wide = static_cast<__int128>(length.count()) * Ratio::num / Ratio::den;
      nanoseconds_ = wide > kMax ? kMax : wide < -kMax ? -kMax : static_cast<std::int64_t>(wide);
    } else {
      const auto wide = std::chrono::duration<long double, std::nano>(length).count();
      if (wide != wide) detail::throw_not_a_duration();
      nanoseconds_ = wide >= kMax ? kMax : wide <= -kMax ? -kMax : static_cast<std::int64_t>(wide);
    }
  }

  static constexpr Duration max() noexcept { return nanoseconds(kMax); }
  static constexpr Duration nanoseconds(std::int64_t count) noexcept {
    Duration d;
    d.nanoseconds_ = count;
    return d;
  }

  constexpr std::int64_t count() const noexcept { return nanoseconds_; }
  constexpr operator std::chrono::nanoseconds() const noexcept { return std::chrono::nanoseconds(nanoseconds_); }
  friend constexpr auto operator<=>(Duration, Duration) noexcept = default;

 private:
  static constexpr std::int64_t kMax = std::int64_t{1} << 62;
  std::int64_t nanoseconds_ = 0;
};

/// The clock of event loops: monotonic, and virtual under the simulated back end.
///
/// Its now() is `EventLoop::time()`; time points are made from it: `loop.time() + 60ms`.
struct LoopClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<LoopClock, duration>;
  static constexpr bool is_steady = true;
};
using TimePoint = LoopClock::time_point;

}  // namespace eddy

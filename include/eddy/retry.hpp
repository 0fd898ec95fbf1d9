// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <type_traits>
#include <utility>

namespace eddy {

struct RetryOptions {
  int attempts = 3;                               // in all. Three: one slip is chance, two are bad luck, three a fault
  Duration backoff = Duration();                  // the pause after the first failure; it doubles with each
  Duration longest = std::chrono::seconds(60);    // no pause is longer
  double jitter = 0;                              // of each pause, up to this part is taken off: 0 to 1
};

namespace detail {

/// Throws ValueError for options that are none.
void check_retry(const RetryOptions& options);
/// The pause after the n-th failure, n from 1 on. The same numbers again on a loop with a virtual clock.
Duration pause_before_retry(const RetryOptions& options, int failures);

template <class E, class F>
auto retry_loop(F function, RetryOptions options)
    -> Coro<typename decltype(as_coroutine(function()))::value_type> {
  check_retry(options);
  for (int attempt = 1;; ++attempt) {
    bool failed = false;
    try {
      co_return co_await function();
    } catch (const E&) {
      if (attempt >= options.attempts) throw;
      failed = true;
    }
    if (failed) co_await sleep(pause_before_retry(options, attempt));
  }
}

}  // namespace detail

/// Awaits `function()` again while it throws an E, up to `attempts` times; then its last error is thrown. Others, and
/// cancellations, pass at once. The function is kept until the end: a capturing lambda is fine. (g++ 12: give it a name
/// first, docs/gcc12.md.)
///
///     auto fetch = [&]() -> Coro<Page> { … };
///     auto page = co_await eddy::retry<eddy::OSError>(fetch, {.attempts = 5, .backoff = 100ms, .jitter = 0.5});
template <class E = std::exception, class F>
auto retry(F function, RetryOptions options = {}) {
  return detail::retry_loop<E, F>(std::move(function), options);
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
// What the tests share.
#pragma once

#include <eddy/testing.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ostream>
#include <string>

using namespace std::chrono_literals;
using eddy::Coro;
using eddy::Task;

namespace eddy::testing {
inline void PrintTo(const Log& log, std::ostream* out) { *out << '"' << log.str() << '"'; }
}  // namespace eddy::testing

/// How the tests run on a back end. With EDDY_TEST_FAULTS, a number that is the seed, transfers are short and delayed on
/// purpose, which may change nothing: ctest runs the tests of the I/O a second time so.
inline eddy::RunOptions on_backend(eddy::Backend backend, bool virtual_time) {
  static const auto faults = [] {
    const char* seed = std::getenv("EDDY_TEST_FAULTS");
    const double share = seed ? 0.3 : 0;
    return eddy::testing::Faults{.seed = seed ? std::strtoull(seed, nullptr, 10) : 0, .short_reads = share,
                                 .short_writes = share, .not_ready = share};
  }();
  return {.backend = backend, .virtual_time = virtual_time, .faults = faults.short_reads > 0 ? &faults : nullptr};
}

/// A test whose body is a coroutine, in virtual time: on the simulated back end and on each that waits for the
/// kernel.
#define ASYNC_TEST(suite, name)                                                                    \
  static Coro<> suite##_##name##_body();                                                           \
  TEST(suite, name) {                                                                              \
    eddy::testing::run(suite##_##name##_body());                                                   \
    for (auto backend : eddy::available_backends()) {                                              \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                                         \
      eddy::run(suite##_##name##_body(), on_backend(backend, true));                               \
    }                                                                                              \
  }                                                                                                \
  static Coro<> suite##_##name##_body()

/// The same on each back end that waits for the kernel, in real time.
#define BACKEND_TEST(suite, name)                                                        \
  static Coro<> suite##_##name##_body();                                                 \
  TEST(suite, name) {                                                                    \
    for (auto backend : eddy::available_backends()) {                                    \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                               \
      eddy::run(eddy::timeout(20s, suite##_##name##_body()), on_backend(backend, false)); \
    }                                                                                    \
  }                                                                                      \
  static Coro<> suite##_##name##_body()

/// What() of the E that a statement throws; "" if it throws none. For co_await: testing::error_of().
#define TEXT_OF(E, ...)                   \
  [&] {                                   \
    try {                                 \
      __VA_ARGS__;                        \
    } catch (const E& thrown_) {          \
      return std::string(thrown_.what()); \
    }                                     \
    return std::string();                 \
  }()

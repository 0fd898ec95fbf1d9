// SPDX-License-Identifier: MIT
// What the tests share.
#pragma once

#include <eddy/testing.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>

using namespace std::chrono_literals;
using eddy::Coro;
using eddy::Task;

namespace eddy::testing {
inline void PrintTo(const Log& log, std::ostream* out) { *out << '"' << log.str() << '"'; }
}  // namespace eddy::testing

/// A test whose body is a coroutine, in virtual time: on the simulated back end and on each that waits for the
/// kernel.
#define ASYNC_TEST(suite, name)                                                                    \
  static Coro<> suite##_##name##_body();                                                           \
  TEST(suite, name) {                                                                              \
    eddy::testing::run(suite##_##name##_body());                                                   \
    for (auto backend : eddy::available_backends()) {                                              \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                                         \
      eddy::run(suite##_##name##_body(), {.backend = backend, .virtual_time = true});              \
    }                                                                                              \
  }                                                                                                \
  static Coro<> suite##_##name##_body()

/// The same on each back end that waits for the kernel, in real time.
#define BACKEND_TEST(suite, name)                                                        \
  static Coro<> suite##_##name##_body();                                                 \
  TEST(suite, name) {                                                                    \
    for (auto backend : eddy::available_backends()) {                                    \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                               \
      eddy::run(eddy::timeout(20s, suite##_##name##_body()), {.backend = backend});      \
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

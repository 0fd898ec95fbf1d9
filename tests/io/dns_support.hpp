// SPDX-License-Identifier: MIT
// What the tests of names share.
#pragma once

#include <eddy/eddy.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "dns_server.hpp"
#include "support.hpp"

/// A test in virtual time on each back end that has sockets.
#define VIRTUAL_TEST(suite, name)                                                        \
  static Coro<> suite##_##name##_body();                                                 \
  TEST(suite, name) {                                                                    \
    for (auto backend : eddy::available_backends()) {                                    \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                               \
      eddy::run(suite##_##name##_body(), {.backend = backend, .virtual_time = true});    \
    }                                                                                    \
  }                                                                                      \
  static Coro<> suite##_##name##_body()

namespace dns {

inline std::string text_of(const std::vector<eddy::Address>& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) texts.push_back(address.str());
  return fmt::format("{}", fmt::join(texts, " "));
}

// A file of a test, gone with it.
class File {
 public:
  explicit File(std::string_view text) {
    const int fd = ::mkstemp(path_);
    ::close(fd);
    write(text);
  }
  ~File() { ::unlink(path_); }
  void write(std::string_view text) { std::ofstream(path_) << text; }
  std::string_view path() const { return path_; }

 private:
  char path_[32] = "/tmp/eddy_dns_XXXXXX";
};

inline eddy::ResolverOptions asking(const std::string& servers) {
  return {.nameservers = servers, .timeout = 2s, .tries = 2, .hosts = "", .resolv_conf = "", .nsswitch_conf = ""};
}

inline Coro<std::string> lookup(eddy::Resolver resolver, std::string host, eddy::LookupOptions options = {}) {
  auto addresses = co_await resolver.getaddrinfo(std::move(host), 80, options);
  co_return text_of(addresses);
}
inline Coro<std::string> failure(eddy::Resolver resolver, std::string host, eddy::LookupOptions options = {}) {
  const auto error = co_await eddy::testing::error_of<eddy::GaiError>(resolver.getaddrinfo(std::move(host), 80, options));
  co_return fmt::format("{} {}", error.error_number(), error.what());
}
inline Coro<> end_of(Task<std::string> task) {
  try {
    co_await task;
  } catch (const eddy::CancelledError&) {
  }
}
inline std::string failed(int code, std::string_view text) { return fmt::format("{} {}", code, text); }

}  // namespace dns


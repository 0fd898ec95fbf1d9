// SPDX-License-Identifier: MIT
// Fetches a page and prints its text.
//
//     $ ./http_hello 8000 &
//     $ ./http_get http://127.0.0.1:8000/
//     Hello, World!
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace http = eddy::http;

eddy::Coro<std::string> fetch(std::string url) {
  http::ClientSession session;
  auto response = co_await session.get(url);
  response.raise_for_status();
  co_return co_await response.text();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: http_get URL\n", stderr);
    return 2;
  }
  try {
    std::puts(eddy::run(fetch(argv[1])).c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "http_get: %s\n", error.what());
    return 1;
  }
}

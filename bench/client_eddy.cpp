// SPDX-License-Identifier: MIT
// An HTTP client: as many tasks as connections, of one session; each asks for `/`, reads the body, compares it, asks again.
//
//     $ client_eddy PORT CONNECTIONS SECONDS
//     {"rate": 61000, "total": 61000, "cpu_us": 14.210}
//
// After a warm-up of 0.3 s. `cpu_us` is this process's CPU time a request, user and system.
#include <eddy/gather.hpp>
#include <eddy/http.hpp>
#include <eddy/runners.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "load/clocks.hpp"

namespace {

namespace http = eddy::http;
using eddy::Coro;

Coro<std::size_t> ask(http::ClientSession& session, const http::Url& url, std::int64_t end) {
  std::size_t count = 0;
  for (; bench::now() < end; ++count) {
    auto response = co_await session.get(url);
    const std::string body = co_await response.read();
    if (response.status() != 200 || body != "Hello, World!") std::abort();
  }
  co_return count;
}

Coro<std::size_t> ask_all(http::ClientSession& session, const http::Url& url, int connections, double seconds) {
  const auto end = bench::now() + static_cast<std::int64_t>(seconds * 1e9);
  std::vector<Coro<std::size_t>> all;
  for (int i = 0; i < connections; ++i) all.push_back(ask(session, url, end));
  std::size_t sum = 0;
  for (const std::size_t count : co_await eddy::gather(std::move(all))) sum += count;
  co_return sum;
}

Coro<> measure(int port, int connections, double seconds) {
  const http::Url url("http://127.0.0.1:" + std::to_string(port) + "/");
  http::ClientSession session;
  co_await ask_all(session, url, connections, 0.3);
  const auto began = bench::now();
  const double cpu = bench::cpu_seconds();
  const auto count = static_cast<double>(co_await ask_all(session, url, connections, seconds));
  const double elapsed = static_cast<double>(bench::now() - began) / 1e9;
  std::printf("{\"rate\": %.0f, \"total\": %.0f, \"cpu_us\": %.3f}\n", count / elapsed, count,
              (bench::cpu_seconds() - cpu) / count * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  eddy::run(measure(std::atoi(argv[1]), std::atoi(argv[2]), std::atof(argv[3])));
}

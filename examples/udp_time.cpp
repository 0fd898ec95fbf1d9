// SPDX-License-Identifier: MIT
// The time protocol of RFC 868 over UDP: an empty datagram asks, four bytes answer, seconds since 1900.
//
//     $ ./udp_time
//     the server's clock agrees with ours
//
//     $ ./udp_time serve 3737 &
//     $ ./udp_time ask 127.0.0.1 3737
//     the server's clock agrees with ours

#include <eddy/eddy.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
using eddy::Coro;

constexpr std::uint32_t kFrom1900To1970 = 2'208'988'800;

std::uint32_t now() { return static_cast<std::uint32_t>(std::time(nullptr)) + kFrom1900To1970; }

Coro<> serve(eddy::DatagramSocket socket) {
  for (;;) {
    auto question = co_await socket.receive_view();
    const std::uint32_t time = now();
    char answer[4];
    for (int i = 0; i < 4; ++i) answer[i] = static_cast<char>(time >> (24 - 8 * i));
    co_await socket.send_to({answer, 4}, question.from);
  }
}

// A datagram may be lost on either way: ask again after a second, three times.
Coro<std::uint32_t> ask(eddy::Address server) {
  auto socket = co_await eddy::open_datagram({.remote = server});
  for (int attempt = 0; attempt < 3; ++attempt) {
    co_await socket.send("");
    try {
      auto answer = co_await eddy::timeout(1s, socket.receive());
      if (answer.data.size() != 4) throw eddy::ValueError("the answer is no time");
      std::uint32_t time = 0;
      for (const char byte : answer.data) time = time << 8 | static_cast<unsigned char>(byte);
      co_return time;
    } catch (const eddy::TimeoutError&) {
    }
  }
  throw eddy::TimeoutError("no answer from " + server.str());
}

Coro<> compare(eddy::Address server) {
  const auto theirs = co_await ask(server);
  const long difference = static_cast<long>(theirs) - static_cast<long>(now());
  if (difference >= -1 && difference <= 1) std::puts("the server's clock agrees with ours");
  else std::printf("the server's clock and ours differ by %ld s\n", difference);
}

Coro<> both() {
  auto socket = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  auto serving = eddy::create_task(serve(socket));
  co_await compare(socket.local_address());
  serving.cancel();
}

Coro<> serve_on(int port) {
  auto socket = co_await eddy::open_datagram({.local = {"0.0.0.0", port}});
  std::printf("listening on %s\n", socket.local_address().str().c_str());
  std::fflush(stdout);
  co_await serve(socket);
}

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  try {
    if (argc == 1) eddy::run(both());
    else if (command == "serve" && argc == 3) eddy::run(serve_on(std::atoi(argv[2])));
    else if (command == "ask" && argc == 4) eddy::run(compare(eddy::Address(argv[2], std::atoi(argv[3]))));
    else return std::fputs("usage: udp_time [serve PORT | ask ADDRESS PORT]\n", stderr), 2;
  } catch (const eddy::KeyboardInterrupt&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "udp_time: %s\n", error.what());
    return 1;
  }
}

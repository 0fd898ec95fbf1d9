// SPDX-License-Identifier: MIT
// Model 2, non-blocking: a read that would wait says so at once, and the program asks again and again.
//
//     $ ./io_non_blocking
//     phase 1, waiting for bytes: recv() said "not yet" at once, many times
//     phase 2, copying them: in the last recv(), 5 bytes

#include <eddy/sockets.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

using namespace std::chrono_literals;

int main() {
  auto [near, far] = eddy::socketpair();
  near.set_blocking(false);
  std::thread peer([&far = far] {
    std::this_thread::sleep_for(50ms);
    far.sendall("hello");
  });
  int asked = 0;
  std::array<char, 100> room;
  std::optional<std::size_t> got;
  while (!(got = near.try_recv(room))) {
    ++asked;
    std::this_thread::yield();  // here the program could do something else
  }
  std::printf("phase 1, waiting for bytes: recv() said \"not yet\" at once, %s\n", asked > 1 ? "many times" : "never");
  std::printf("phase 2, copying them: in the last recv(), %zu bytes\n", *got);
  peer.join();
}

// SPDX-License-Identifier: MIT
// Model 1, blocking: the thread sleeps in the read, through both of its phases.
//
//     $ ./io_blocking
//     blocking: True
//     phase 1, waiting for bytes: the thread slept in recv()
//     phase 2, copying them: in the same recv(), 5 bytes

#include <eddy/sockets.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

int main() {
  auto [near, far] = eddy::socketpair();
  std::printf("blocking: %s\n", near.get_blocking() ? "True" : "False");
  std::thread peer([&far = far] {
    std::this_thread::sleep_for(50ms);
    far.sendall("hello");
  });
  const auto began = std::chrono::steady_clock::now();
  const auto bytes = near.recv(100);
  const bool slept = std::chrono::steady_clock::now() - began >= 40ms;
  std::printf("phase 1, waiting for bytes: the thread %s in recv()\n", slept ? "slept" : "did not sleep");
  std::printf("phase 2, copying them: in the same recv(), %zu bytes\n", bytes.size());
  peer.join();
}

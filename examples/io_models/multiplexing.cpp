// SPDX-License-Identifier: MIT
// Model 3, multiplexing: the thread sleeps for many descriptors at once, then reads those that are ready.
//
//     $ ./io_multiplexing
//     phase 1, waiting for bytes of 3 sockets: the thread slept in one select()
//     phase 2, copying them: recv() of socket 2, which did not wait, 5 bytes

#include <eddy/selectors.hpp>
#include <eddy/sockets.hpp>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
  eddy::DefaultSelector selector;
  std::vector<std::pair<eddy::Socket, eddy::Socket>> pairs;
  for (int i = 0; i < 3; ++i) {
    pairs.push_back(eddy::socketpair());
    selector.register_(pairs.back().first.fileno(), eddy::EVENT_READ, i);
  }
  std::thread peer([&] {
    std::this_thread::sleep_for(50ms);
    pairs[2].second.sendall("hello");
  });
  const auto ready = selector.select();
  std::printf("phase 1, waiting for bytes of %zu sockets: the thread slept in one select()\n", selector.get_map().size());
  for (const auto& event : ready) {
    const int number = std::any_cast<int>(event.key.data);
    const auto bytes = pairs[static_cast<std::size_t>(number)].first.recv(100);
    std::printf("phase 2, copying them: recv() of socket %d, which did not wait, %zu bytes\n", number, bytes.size());
  }
  peer.join();
}

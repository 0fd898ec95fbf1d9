// SPDX-License-Identifier: MIT
// The quickest of three mirrors, a limit that cannot be swallowed, and a channel that ends by itself.
//
//     $ ./mirrors
//     mirror 2 answers
//     mirror 0 gives up
//     mirror 1 gives up
//     got 2
//     0 1 2
//     too slow, and cleaned up
#include <eddy/eddy.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using eddy::Coro;

Coro<int> mirror(int number, eddy::Duration takes) {
  try {
    co_await eddy::sleep(takes);
  } catch (const eddy::CancelledError&) {
    std::cout << "mirror " << number << " gives up\n";
    throw;
  }
  std::cout << "mirror " << number << " answers\n";
  co_return number;
}

Coro<> produce(eddy::MemorySendChannel<int> channel) {
  for (int i = 0; i < 3; ++i) co_await channel.send(i);
}  // its end is the channel's: the sender goes with the coroutine

Coro<> stubborn() {
  for (;;) {
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const eddy::CancelledError&) {
      cancelled = true;  // a scope throws again at the next wait
    }
    eddy::CancelScope clean_up({.timeout = 1s, .shield = true});
    if (cancelled) co_await clean_up.run(eddy::sleep(1ms));
    co_await eddy::sleep(0s);
  }
}

Coro<> program() {
  std::vector<Coro<int>> mirrors;
  mirrors.push_back(mirror(0, 3s));
  mirrors.push_back(mirror(1, 2s));
  mirrors.push_back(mirror(2, 10ms));
  const auto winner = co_await eddy::race(std::move(mirrors));
  std::cout << "got " << winner.value << '\n';

  auto channel = eddy::open_memory_channel<int>(1);
  auto producer = eddy::create_task(produce(std::move(channel.send)));
  std::string numbers;
  while (auto number = co_await channel.receive.next()) numbers += std::to_string(*number) + ' ';
  numbers.pop_back();
  std::cout << numbers << '\n';
  co_await producer;

  const bool finished = co_await eddy::move_on_after(10ms, stubborn());
  if (!finished) std::cout << "too slow, and cleaned up\n";
}

int main() { eddy::run(program()); }

// SPDX-License-Identifier: MIT
// Two consumers share a bounded queue; shutdown() ends them when everything was taken.
//
//     $ ./producer_consumer
//     ada: 0, 2, 4
//     bob: 1, 3, 5
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using eddy::Coro;

Coro<std::string> consume(eddy::Queue<int>& queue, std::string name) {
  std::string taken = name + ":";
  try {
    for (;;) {
      const int item = co_await queue.get();
      taken += (taken.back() == ':' ? " " : ", ") + std::to_string(item);
      co_await eddy::sleep(5ms);  // work
      queue.task_done();
    }
  } catch (const eddy::QueueShutDown&) {
  }
  co_return taken;
}

Coro<> main_program() {
  eddy::Queue<int> queue(2);
  auto ada = eddy::create_task(consume(queue, "ada"));
  auto bob = eddy::create_task(consume(queue, "bob"));
  for (int i = 0; i < 6; ++i) co_await queue.put(i);  // waits while the queue is full
  queue.shutdown();
  std::cout << co_await ada << '\n' << co_await bob << '\n';
}

int main() { eddy::run(main_program()); }

// SPDX-License-Identifier: MIT
// Structured concurrency: nothing that is started in the group outlives it, and one failure ends all.
//
//     $ ./task_group
//     worker 1 is done
//     worker 2 was cancelled
//     unhandled errors in a TaskGroup (1 sub-exception)
//       worker 3 broke down
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;
using eddy::Coro;

Coro<> worker(int id, std::chrono::milliseconds work) {
  try {
    co_await eddy::sleep(work);
  } catch (const eddy::CancelledError&) {
    std::cout << "worker " << id << " was cancelled\n";
    throw;  // a cancellation goes on
  }
  if (id == 3) throw std::runtime_error("worker 3 broke down");
  std::cout << "worker " << id << " is done\n";
}

Coro<> main_program() {
  try {
    co_await eddy::task_group([](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(worker(1, 10ms));
      group.create_task(worker(2, 10s));
      group.create_task(worker(3, 20ms));
      co_return;
    });
  } catch (const eddy::ExceptionGroup& errors) {
    std::cout << errors.what() << '\n';
  }
}

int main() { eddy::run(main_program()); }

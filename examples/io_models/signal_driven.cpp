// SPDX-License-Identifier: MIT
// Model 4, signal-driven: the kernel sends SIGIO when bytes are there; the program reads them itself. The signal's handler
// runs on the loop, where it may do what it likes.
//
//     $ ./io_signal_driven
//     phase 1, waiting for bytes: the program did other things until SIGIO came
//     phase 2, copying them: recv() after the signal, 5 bytes

#include <eddy/events.hpp>
#include <eddy/locks.hpp>
#include <eddy/runners.hpp>
#include <eddy/sockets.hpp>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

using eddy::Coro;
using namespace std::chrono_literals;

Coro<> main_program() {
  auto pair = eddy::socketpair();
  auto& near = pair.first;
  near.set_blocking(false);
  auto& loop = eddy::get_running_loop();

  eddy::Event signalled;
  loop.add_signal_handler(SIGIO, [&] { signalled.set(); });
  ::fcntl(near.fileno(), F_SETOWN, ::getpid());
  ::fcntl(near.fileno(), F_SETFL, ::fcntl(near.fileno(), F_GETFL) | O_ASYNC);
  loop.call_later(50ms, [&] { pair.second.sendall("hello"); });

  int other_things = 0;
  while (!signalled.is_set()) {
    co_await eddy::sleep(1ms);
    ++other_things;
  }
  std::printf("phase 1, waiting for bytes: the program did %s until SIGIO came\n", other_things > 1 ? "other things" : "nothing");
  const auto bytes = near.recv(100);
  std::printf("phase 2, copying them: recv() after the signal, %zu bytes\n", bytes.size());
  ::fcntl(near.fileno(), F_SETFL, O_NONBLOCK);  // no more signals: without a handler, the next would end the process
  loop.remove_signal_handler(SIGIO);
}

int main() { eddy::run(main_program()); }

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

void f(eddy::EventLoop& loop) {
  loop.call_soon([] {});
  loop.call_later(1s, [&loop, n = 0]() mutable { if (++n == 2) loop.stop(); });
  loop.call_at(loop.time() + 1s, [] {});
  loop.call_soon_threadsafe([] { return 1; });
  loop.add_signal_handler(2, [] {});
}

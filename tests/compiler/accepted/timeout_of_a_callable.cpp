// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<int> f() {
  co_return co_await eddy::timeout(1s, [](eddy::Timeout& t) -> eddy::Coro<int> {
    t.reschedule(eddy::TimePoint::max());
    co_return 1;
  });
}

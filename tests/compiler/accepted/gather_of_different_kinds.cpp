// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::Coro<int> g();
eddy::Coro<> f(eddy::Task<std::string> task) {
  auto [a, b, c] = co_await eddy::gather(g(), task, eddy::sleep(1s));
  a += static_cast<int>(b.size());
  static_cast<void>(c);
}

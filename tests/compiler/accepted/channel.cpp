// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

eddy::Coro<int> f() {
  auto [sender, receiver] = eddy::open_memory_channel<int>(1);
  co_await sender.send(1);
  sender.close();
  int sum = 0;
  while (auto item = co_await receiver.next()) sum += *item;
  co_return sum;
}

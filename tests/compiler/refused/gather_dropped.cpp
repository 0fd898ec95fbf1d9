// SPDX-License-Identifier: MIT
// error: co_await it
#include <eddy/eddy.hpp>

eddy::Coro<> g();
eddy::Coro<> f() {
  eddy::gather(g(), g());
  co_return;
}

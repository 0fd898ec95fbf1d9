// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

eddy::ContextVar<std::string> user("user", "nobody");
eddy::Coro<std::string> f() {
  auto scope = user.scoped("ann");
  co_await eddy::sleep(0s);
  co_return user.get();
}

// SPDX-License-Identifier: MIT
// Never built: what the lint must find, each marked with its rule, and beside it what it must pass.
#include <eddy/eddy.hpp>

#include <memory>
#include <string>

namespace {

eddy::Coro<bool> ready();
eddy::Coro<std::string> text();
template <class F>
eddy::Coro<> call(F function);
void act();

struct Plain {
  std::string_view host = {};
  int port = 0;
};
struct Owning {
  std::string host = {};
  int port = 0;
};
eddy::Coro<> plain(Plain options);
eddy::Coro<> owning(Owning options);

eddy::Coro<> lost_resume()
{  // finds R1
  if (co_await ready()) act();
}

eddy::Coro<> fine_conditions() {
  const bool is_ready = co_await ready();
  if (is_ready) act();
  while (co_await ready()) act();
}

eddy::Coro<> closures(std::shared_ptr<int> shared, std::string string) {
  int number = 0;
  co_await call([shared] { act(); });        // finds R2
  co_await call([s = string] { act(); });    // finds R2
  co_await call([number] { act(); });
  co_await call([&] { act(); });
  auto named = [shared] { act(); };
  co_await call(named);
  co_await call([&]() -> eddy::Coro<> {
    auto inner = [shared] { act(); };
    act();
    co_return;
  });
}

eddy::Coro<> aggregates(std::string host) {
  co_await owning({.host = host});           // finds R4
  co_await owning(Owning{host, 1});          // finds R4
  co_await plain({.host = host});
  co_await plain(Plain{host, 1});
  Owning built{co_await text(), 1};          // finds R4
  auto awaited = co_await text();
  Owning fine{awaited, 1};
}

eddy::Coro<std::string> choices(bool which) {
  std::string chosen = which ? co_await text() : std::string();  // finds R6
  const int small = which ? static_cast<int>((co_await text()).size()) : 0;
  if (small) throw std::runtime_error(co_await text());          // finds R7
  co_return chosen;
}

eddy::Coro<bool> short_circuits(bool a) {
  while (a && co_await ready()) act();       // finds R10
  bool both = a;
  if (both) both = co_await ready();
  co_return a && co_await ready();           // finds R10
}

}  // namespace

int main() { static_cast<void>(&lost_resume), static_cast<void>(&fine_conditions); }

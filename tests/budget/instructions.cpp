// SPDX-License-Identifier: MIT
// Does one kind of operation COUNT times, for instructions.py to count what it takes.
//
//     $ instructions queue 1000
#include <eddy/eddy.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace {

using eddy::Coro;
using namespace std::chrono_literals;

Coro<int> number(int value) { co_return value; }
constexpr int kBatch = 100;

Coro<> yields(int count) {
  for (int i = 0; i < count; ++i) co_await eddy::sleep(0s);
}

Coro<> awaits(int count) {
  for (int i = 0; i < count; ++i) static_cast<void>(co_await number(i));
}

Coro<> tasks(int count) {
  std::vector<eddy::Task<int>> batch;
  for (int done = 0; done < count; done += kBatch) {
    batch.clear();
    for (int i = 0; i < kBatch; ++i) batch.push_back(eddy::create_task(number(i)));
    for (auto& task : batch) static_cast<void>(co_await task);
  }
}

Coro<> gathers(int count) {
  for (int done = 0; done < count; done += kBatch) {
    std::vector<Coro<int>> batch;
    for (int i = 0; i < kBatch; ++i) batch.push_back(number(i));
    static_cast<void>(co_await eddy::gather(std::move(batch)));
  }
}

Coro<> queue(int count) {
  eddy::Queue<int> line(kBatch);
  auto put = [&]() -> Coro<> {
    for (int i = 0; i < count; ++i) co_await line.put(i);
  };
  auto get = [&]() -> Coro<> {
    for (int i = 0; i < count; ++i) static_cast<void>(co_await line.get());
  };
  co_await eddy::gather(put(), get());
}

Coro<> lock(int count) {
  eddy::Lock lock;
  auto hand_over = [&]() -> Coro<> {
    for (int i = 0; i < count / 2; ++i) {
      auto held = co_await lock;
      co_await eddy::sleep(0s);
    }
  };
  co_await eddy::gather(hand_over(), hand_over());
}

Coro<> futures(int count) {
  auto& loop = eddy::get_running_loop();
  for (int i = 0; i < count; ++i) {
    auto future = loop.create_future<int>();
    loop.call_soon([future] { future.set_result(1); });
    static_cast<void>(co_await future);
  }
}

Coro<> timers(int count) {
  auto& loop = eddy::get_running_loop();
  std::vector<eddy::TimerHandle> armed;
  for (int done = 0; done < count; done += kBatch) {
    armed.clear();
    for (int i = 0; i < kBatch; ++i) armed.push_back(loop.call_later(std::chrono::milliseconds(1000 + 37 * i), [] {}));
    for (auto& timer : armed) timer.cancel();
  }
  co_return;
}

eddy::Generator<int> numbers(int count) {
  for (int i = 0; i < count; ++i) co_yield i;
}
Coro<> generator(int count) {
  int sum = 0;
  for (const int value : numbers(count)) sum += value;
  if (sum == -1) std::puts("");
  co_return;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, Coro<> (*)(int)> items{
      {"yield", yields}, {"await", awaits},   {"task", tasks},   {"gather", gathers},      {"queue", queue},
      {"lock", lock},    {"future", futures}, {"timer", timers}, {"generator", generator},
  };
  const auto item = argc == 3 ? items.find(argv[1]) : items.end();
  if (item == items.end()) {
    std::fputs("usage: instructions ITEM COUNT\n", stderr);
    return 2;
  }
  eddy::run(item->second(std::atoi(argv[2])));
}

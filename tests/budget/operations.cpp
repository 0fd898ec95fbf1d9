// SPDX-License-Identifier: MIT
// Does one kind of operation COUNT times, for allocations.py, instructions.py and system_calls.py to count what it takes.
// Both ends of a connection are here: an echoed message is two sends and two receives.
//
//     $ operations queue 1000
//     37 allocations
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "count_allocations.hpp"

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

Coro<> echo_client(eddy::StreamReader reader, eddy::StreamWriter writer) {
  for (;;) {
    const bool more = co_await reader.more();
    if (!more) break;
    writer.write(reader.buffered());
    reader.consume(reader.buffered().size());
  }
}

Coro<> echoes(int count) {
  auto server = co_await eddy::start_server(echo_client, "127.0.0.1", 0);
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  const std::string message(64, 'x');
  for (int i = 0; i < count; ++i) {
    writer.write(message);
    static_cast<void>(co_await reader.readexactly_view(message.size()));
  }
}

Coro<> connections(int count) {
  auto server = co_await eddy::start_server(echo_client, "127.0.0.1", 0);
  for (int i = 0; i < count; ++i) {
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    writer.write("x");
    static_cast<void>(co_await reader.readexactly_view(1));
    writer.close();
    co_await writer.wait_closed();
    while (server.connections() > 0) co_await eddy::sleep(0s);
  }
}

// More come to their ends in one turn than there are spare blocks to read into.
Coro<> connections_that_end_together(int count) {
  auto server = co_await eddy::start_server(echo_client, "127.0.0.1", 0);
  std::vector<eddy::Streams> open;
  open.reserve(kBatch);
  for (int left = count; left > 0; left -= kBatch) {
    for (int i = 0; i < kBatch; ++i) open.push_back(co_await eddy::open_connection("127.0.0.1", server.port()));
    while (server.connections() < kBatch) co_await eddy::sleep(0s);
    for (auto& streams : open) streams.writer.close();
    open.clear();
    while (server.connections() > 0) co_await eddy::sleep(0s);
  }
}

Coro<> datagrams(int count) {
  auto server = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  auto client = co_await eddy::open_datagram({.remote = server.local_address()});
  for (int i = 0; i < count; ++i) {
    co_await client.send("question");
    const auto [question, sender] = co_await server.receive();
    co_await server.send_to("answer", sender);
    static_cast<void>(co_await client.receive());
  }
}

// `together` requests a write.
Coro<> requests(int count, int together) {
  namespace http = eddy::http;
  http::Application app;
  app.get("/", [](http::Request&) -> Coro<http::Response> { co_return http::text_response("Hello, World!"); });
  auto server = co_await http::serve(std::move(app), {.host = "127.0.0.1", .port = 0});
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  std::string batch;
  for (int i = 0; i < together; ++i) batch += "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  writer.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto first = co_await reader.readuntil("World!");
  for (int i = 0; i < count; ++i) {
    writer.write(batch);
    static_cast<void>(co_await reader.readexactly_view(first.size() * static_cast<std::size_t>(together)));
  }
}
Coro<> hello(int count) { return requests(count, 1); }
Coro<> pipelined(int count) { return requests(count, 16); }

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, Coro<> (*)(int)> items{
      {"yield", yields}, {"await", awaits},   {"task", tasks},   {"gather", gathers},      {"queue", queue},
      {"lock", lock},    {"future", futures}, {"timer", timers}, {"generator", generator},
      {"echo", echoes},  {"connection", connections}, {"ended_together", connections_that_end_together},
      {"datagram", datagrams}, {"request", hello}, {"pipelined", pipelined},
  };
  const auto item = argc == 3 ? items.find(argv[1]) : items.end();
  if (item == items.end()) {
    std::fputs("usage: operations ITEM COUNT\n", stderr);
    return 2;
  }
  eddy::run(item->second(std::atoi(argv[2])));
  std::printf("%zu allocations\n", allocations);
}

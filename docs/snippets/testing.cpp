// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <eddy/testing.hpp>

#include <cstdlib>

using namespace std::chrono_literals;
using eddy::Coro;

static void check(bool fact) {
  if (!fact) std::abort();
}

static Coro<std::string> retry(int tries) {
  for (int i = 1;; ++i) {
    if (i == tries) co_return "got it";
    co_await eddy::sleep(std::chrono::hours(i));
  }
}

// [time]
Coro<> waits_longer_each_time() {
  const auto result = co_await retry(3);
  check(result == "got it");
  check(eddy::testing::now() == 3h);  // the test itself took microseconds
}
// [/time]

// [streams]
Coro<> a_line_comes_in_pieces() {
  auto pair = eddy::testing::stream_pair({.piece = 1});
  pair.near.writer.write("hello\n");
  const auto line = co_await pair.far.reader.readline();
  check(line == "hello\n");
}
// [/streams]

// [sweep]
Coro<> guarded_work() {
  eddy::Semaphore slots(1);
  auto work = [&]() -> Coro<> {
    auto slot = co_await slots;
    co_await eddy::sleep(1ms);
  };
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(work());
    group.create_task(work());
    co_return;
  });
}
// [/sweep]

// [faults]
// Gives back what it is sent: as one piece, if the network is kind.
Coro<> echo(eddy::StreamReader reader, eddy::StreamWriter writer) {
  const auto message = co_await reader.readexactly(1000);
  writer.write(message);
  co_await writer.drain();
}

Coro<> a_message_survives_the_network() {
  auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  const std::string message(1000, 'x');
  writer.write(message);
  const auto answer = co_await reader.readexactly(1000);
  check(answer == message);
  server.close();
}

void test_the_echo() {
  const eddy::testing::Faults faults{.seed = 7, .short_reads = 0.5, .short_writes = 0.5, .not_ready = 0.5};
  eddy::run(a_message_survives_the_network(), {.virtual_time = true, .faults = &faults});
}
// [/faults]

void testing_program() {
  // [run]
  eddy::testing::run(waits_longer_each_time());
  eddy::testing::run(a_line_comes_in_pieces());
  eddy::testing::cancel_everywhere(guarded_work);
  eddy::testing::fail_everywhere(guarded_work, std::runtime_error("the disk is full"));
  // [/run]
  test_the_echo();
}

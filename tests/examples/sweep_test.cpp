// SPDX-License-Identifier: MIT
// The examples that end by themselves, cancelled everywhere and failing everywhere. As under run(), what still runs when the main coroutine has ended is cancelled.
// The examples' main() becomes an ordinary function of a namespace.
#pragma GCC diagnostic ignored "-Wreturn-type"
#pragma GCC diagnostic ignored "-Wsubobject-linkage"

#include <eddy/eddy.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <thread>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support.hpp"

namespace hello_example {
#include "../../examples/hello.cpp"
}
namespace fruit_example {
#include "../../examples/fruit.cpp"
}
namespace gather_example {
#include "../../examples/gather.cpp"
}
namespace timeout_example {
#include "../../examples/timeout.cpp"
}
namespace task_group_example {
#include "../../examples/task_group.cpp"
}
namespace producer_consumer_example {
#include "../../examples/producer_consumer.cpp"
}
namespace chat_example {
#include "../../examples/chat.cpp"
}
namespace port_forwarder_example {
#include "../../examples/port_forwarder.cpp"
}

namespace echo_server_example {
#include "../../examples/echo_server.cpp"
}
namespace tcp_echo_example {
#include "../../examples/tcp_echo.cpp"
}
namespace threads_example {
#include "../../examples/threads.cpp"
}
namespace generators_example {
#include "../../examples/generators.cpp"
}
namespace request_ids_example {
#include "../../examples/request_ids.cpp"
}
namespace mirrors_example {
#include "../../examples/mirrors.cpp"
}

namespace {

struct Failure {};

// Quiet, and as often as it takes.
void sweep(Coro<> (*program)(), eddy::Backend backend = eddy::Backend::simulated) {
  struct Silence {
    std::ostringstream nowhere;
    std::streambuf* before = std::cout.rdbuf(nowhere.rdbuf());
    ~Silence() { std::cout.rdbuf(before); }
  } silence;
  EXPECT_GE(eddy::testing::cancel_everywhere(program, {.cancel_rest = true, .backend = backend}), 4u);
  EXPECT_GE(eddy::testing::fail_everywhere(program, Failure(), {.cancel_rest = true, .may_report = backend != eddy::Backend::simulated, .backend = backend}), 2u);
}

// Two people and what they say, in memory.
Coro<> a_talk() {
  using chat_example::Room;
  auto room = std::make_shared<Room>();
  auto ann = eddy::testing::stream_pair(), bob = eddy::testing::stream_pair();
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(chat_example::converse(room, std::move(ann.far.reader), std::move(ann.far.writer)));
    group.create_task(chat_example::converse(room, std::move(bob.far.reader), std::move(bob.far.writer)));
    ann.near.writer.write("ann\n");
    co_await ann.near.reader.readline();
    bob.near.writer.write("bob\nhello\n");
    co_await ann.near.reader.readline();
    co_await ann.near.reader.readline();
    bob.near.writer.close();
    co_await ann.near.reader.readline();
    ann.near.writer.close();
  });
}

// A client and a server with a forwarder between them; each ends its stream by itself.
Coro<> a_detour() {
  auto client = eddy::testing::stream_pair(), server = eddy::testing::stream_pair();
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(port_forwarder_example::forward(std::move(client.far), std::move(server.near)));
    client.near.writer.write("question");
    client.near.writer.write_eof();
    auto question = co_await server.far.reader.read();
    server.far.writer.write(question + " and answer");
    server.far.writer.write_eof();
    auto answer = co_await client.near.reader.read();
    if (answer != "question and answer") throw std::logic_error("the answer is '" + answer + "'");
  });
}

}  // namespace

TEST(ExamplesLeaveNothing, Hello) { sweep(hello_example::hello); }
TEST(ExamplesLeaveNothing, Fruit) { sweep(fruit_example::program); }
TEST(ExamplesLeaveNothing, Gather) { sweep(gather_example::main_program); }
TEST(ExamplesLeaveNothing, Timeout) { sweep(timeout_example::main_program); }
TEST(ExamplesLeaveNothing, TaskGroup) { sweep(task_group_example::main_program); }
TEST(ExamplesLeaveNothing, ProducerConsumer) { sweep(producer_consumer_example::main_program); }
TEST(ExamplesLeaveNothing, Generators) { sweep(generators_example::show_ticks); }
TEST(ExamplesLeaveNothing, RequestIds) { sweep(request_ids_example::program); }
TEST(ExamplesLeaveNothing, Mirrors) { sweep(mirrors_example::program); }

// With sockets or threads, on each back end that waits for the kernel.
void sweep_on_all(Coro<> (*program)()) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    sweep(program, backend);
  }
}
TEST(ExamplesLeaveNothing, EchoServer) { sweep_on_all(echo_server_example::main_program); }
TEST(ExamplesLeaveNothing, Threads) { sweep(threads_example::main_program, eddy::Backend::epoll); }
TEST(ExamplesLeaveNothing, TcpEcho) {
  sweep_on_all([]() -> Coro<> {
    auto server = co_await eddy::start_server(tcp_echo_example::echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    const std::string block(300'000, 'e');  // more than the socket takes at once
    writer.write(block);
    const std::string back = co_await reader.readexactly(block.size());
    EXPECT_EQ(back.size(), block.size());
    writer.close();
    co_await writer.wait_closed();
    server.close();
    co_await server.wait_closed();
  });
}
TEST(ExamplesLeaveNothing, Chat) { sweep(a_talk); }
TEST(ExamplesLeaveNothing, PortForwarder) { sweep(a_detour); }

// SPDX-License-Identifier: MIT
#include <eddy/testing.hpp>
#include <eddy/twisted.hpp>

#include <iostream>
#include <stdexcept>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::Coro;

static void check(bool holds) {
  if (!holds) throw std::logic_error("a snippet of the documentation does not hold");
}

// [protocol]
struct Echo : eddy::Protocol {
  eddy::Transport* transport = nullptr;
  void connection_made(eddy::Transport& t) override { transport = &t; }
  void data_received(std::string_view data) override { transport->write(data); }
  void pause_writing() override { transport->pause_reading(); }  // a peer that does not read is not read from
  void resume_writing() override { transport->resume_reading(); }
};
// [/protocol]

static Coro<> protocols() {
  // [server]
  auto& loop = eddy::get_running_loop();
  auto server = co_await loop.create_server([] { return std::make_unique<Echo>(); }, "127.0.0.1", 0);
  auto [transport, protocol] =
      co_await loop.create_connection([] { return std::make_unique<eddy::Protocol>(); }, "127.0.0.1", server.port());
  transport->write("hello");
  transport->close();
  // [/server]
  check(protocol != nullptr);
  server.close();
  co_await server.wait_closed();
}

static Coro<> memory() {
  // [memory]
  auto pair = co_await eddy::testing::connect_protocol([] { return std::make_unique<Echo>(); });
  pair.peer.writer.write("hello");
  const auto answer = co_await pair.peer.reader.readexactly(5);
  check(answer == "hello");
  // [/memory]
  pair.connection.transport->close();
}

static Coro<> datagrams() {
  // [datagrams]
  auto server = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  auto client = co_await eddy::open_datagram({.remote = server.local_address()});
  co_await client.send("question");
  auto [data, from] = co_await server.receive();
  co_await server.send_to("answer", from);
  // [/datagrams]
  check(data == "question");
  // [batch]
  eddy::DatagramBatch batch(64, 2048);  // made once
  const auto count = co_await client.receive_batch(batch);
  for (const auto& datagram : batch) std::cout << datagram.from.str() << ": " << datagram.data << '\n';
  // [/batch]
  check(count == 1);
}

static Coro<> deferreds() {
  // [deferred]
  eddy::twisted::Deferred d;
  d.add_callback([](int n) {
     if (n < 0) throw eddy::ValueError("negative");
     return n * 2;
   })
      .add_errback([](eddy::twisted::Failure failure) {
        failure.trap<eddy::ValueError>();
        return 0;
      })
      .add_timeout(5s);
  eddy::get_running_loop().call_later(1ms, [d]() mutable { d.callback(21); });
  const int result = co_await d.as<int>();
  // [/deferred]
  check(result == 42);
}

// [lines]
struct Greeter : eddy::twisted::LineReceiver {
  void line_received(std::string_view line) override { send_line("hello, " + std::string(line)); }
};
// [/lines]

static Coro<> lines() {
  // [factory]
  auto server = co_await eddy::twisted::listen_tcp(eddy::twisted::Factory::for_protocol<Greeter>(), "127.0.0.1", 0);
  // [/factory]
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
  writer.write("you\r\n");
  const auto line = co_await reader.readline();
  check(line == "hello, you\r\n");
  server.close();
}

eddy::Coro<> transports_program() {
  co_await protocols();
  co_await memory();
  co_await datagrams();
  co_await deferreds();
  co_await lines();
}

// SPDX-License-Identifier: MIT
// The code of docs/reference/sockets.md and selectors.md.
#include <sys/socket.h>

#include <any>
#include <functional>

#include "snippets.hpp"

using eddy::Coro;

namespace {

// [raw]
Coro<std::string> greet(eddy::Address server) {
  auto& loop = eddy::get_running_loop();
  eddy::Socket socket(server.family(), SOCK_STREAM | SOCK_NONBLOCK);
  co_await loop.sock_connect(socket, server);
  co_await loop.sock_sendall(socket, "hello");
  co_return co_await loop.sock_recv(socket, 1000);
}
// [/raw]

Coro<> answer(eddy::Socket& listening) {
  auto accepted = co_await eddy::get_running_loop().sock_accept(listening);
  auto text = co_await eddy::get_running_loop().sock_recv(accepted.socket, 1000);
  co_await eddy::get_running_loop().sock_sendall(accepted.socket, text + " to you");
}

// [foreign]
// A library that has a descriptor and does not wait for it: `more()` does what it can and says whether it is done.
template <class Library>
Coro<> drive(Library& library) {
  while (!library.more()) co_await eddy::wait_readable(library.fileno());
}
// [/foreign]

struct Counter {
  eddy::Socket socket;
  int left = 2;
  int fileno() const { return socket.fileno(); }
  bool more() {
    char byte[1];
    while (left > 0 && socket.try_recv(byte)) --left;
    return left == 0;
  }
};

void select_once() {
  auto [near, far] = eddy::socketpair();
  far.send("x");
  std::string heard;
  // [selector]
  eddy::DefaultSelector selector;
  auto read = [&](eddy::Socket& socket) { heard += socket.recv(100); };
  selector.register_(near, eddy::EVENT_READ, std::function<void(eddy::Socket&)>(read));
  for (auto& ready : selector.select()) {
    auto& callback = std::any_cast<std::function<void(eddy::Socket&)>&>(ready.key.data);
    callback(*ready.key.fileobj.get<eddy::Socket>());
  }
  // [/selector]
  if (heard != "x") throw std::logic_error("nothing was heard");
}

// [retry]
Coro<std::string> fetch_with_patience(eddy::Address server) {
  auto fetch = [&]() -> Coro<std::string> { co_return co_await greet(server); };
  co_return co_await eddy::retry<eddy::ConnectionError>(fetch, {.attempts = 5, .backoff = std::chrono::milliseconds(100), .jitter = 0.5});
}
// [/retry]

}  // namespace

Coro<> sockets_program() {
  eddy::Socket listening(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  listening.bind(eddy::Address("127.0.0.1", 0));
  listening.listen();
  auto answering = eddy::create_task(answer(listening));
  const auto text = co_await fetch_with_patience(listening.getsockname());
  if (text != "hello to you") throw std::logic_error("the answer was '" + text + "'");
  co_await answering;
  auto pair = eddy::socketpair();
  Counter counter{std::move(pair.first)};
  pair.second.send("ab");
  co_await drive(counter);
  select_once();
}

// SPDX-License-Identifier: MIT
// Both ends of a connection, in one program.
#pragma once

#include <eddy/eddy.hpp>

#include <utility>

struct Connected {
  eddy::Streams near, far;
};

/// Of a connection to a server that has closed since.
inline eddy::Coro<Connected> connected_over_tcp() {
  eddy::Queue<eddy::Streams> accepted;
  auto handler = [&](eddy::StreamReader reader, eddy::StreamWriter writer) -> eddy::Coro<> {
    eddy::Streams streams{std::move(reader), std::move(writer)};
    accepted.put_nowait(std::move(streams));
    co_return;
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
  auto near = co_await eddy::open_connection("127.0.0.1", server.port());
  auto far = co_await accepted.get();
  server.close();
  co_await server.wait_closed();
  Connected both{std::move(near), std::move(far)};
  co_return both;
}

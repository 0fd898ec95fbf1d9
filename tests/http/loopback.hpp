// SPDX-License-Identifier: MIT
// Tests over real loopback sockets: each runs in its own loop, for at most ten seconds.
#pragma once

#include <dirent.h>
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace eddy::http::test {

template <class F>
void within_ten_seconds(F body) {
  eddy::run(eddy::timeout(std::chrono::seconds(10), std::move(body)));
}

/// Open descriptors of this process.
inline int descriptors() {
  int count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

inline std::string base_of(const HttpServer& server) { return "http://127.0.0.1:" + std::to_string(server.port()); }

/// Sends `text` on a fresh connection and gives all that comes until the server closes. `half_close`: ends
/// the sending side first.
inline Coro<std::string> raw(int port, std::string text, bool half_close = false) {
  auto streams = co_await open_connection("127.0.0.1", port);
  streams.writer.write(text);
  if (half_close) streams.writer.write_eof();
  std::string all;
  try {
    for (;;) {
      auto piece = co_await streams.reader.read(65536);
      if (piece.empty()) break;
      all += piece;
    }
  } catch (const OSError&) {
    all += "<reset>";
  }
  co_return all;
}

inline int count(std::string_view text, std::string_view what) {
  int found = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++found;
  return found;
}

/// A server that does to each connection what `script(reader, writer)` says.
template <class F>
Coro<eddy::Server> scripted(F script) {
  auto server = co_await start_server(std::move(script), "127.0.0.1", 0);
  co_return server;
}
/// Reads one request head; "" at the end.
inline Coro<std::string> read_head(StreamReader& reader) {
  std::string head;
  try {
    head = co_await reader.readuntil("\r\n\r\n");
  } catch (const IncompleteReadError&) {
  }
  co_return head;
}

}  // namespace eddy::http::test

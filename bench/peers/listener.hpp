// SPDX-License-Identifier: MIT
// Where the programs written by hand listen.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>

namespace bench {

/// A listening socket on the loopback. `flags`: of socket(), as SOCK_NONBLOCK. Ends the program if the port is taken.
inline int listen_on_loopback(int port, int flags) {
  const int listener = socket(AF_INET, SOCK_STREAM | flags, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 4096) != 0) {
    std::exit(1);
  }
  return listener;
}

}  // namespace bench

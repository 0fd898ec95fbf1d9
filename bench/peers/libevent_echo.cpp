// SPDX-License-Identifier: MIT
// A peer: libevent, TCP echo through bufferevents; what was read moves to the output without a copy.
//
//     $ libevent_echo PORT
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <csignal>
#include <cstdlib>

#include "listener.hpp"

namespace {

void on_read(bufferevent* connection, void*) {
  bufferevent_write_buffer(connection, bufferevent_get_input(connection));
}

void on_event(bufferevent* connection, short events, void*) {
  if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(connection);
}

void on_connection(evconnlistener* listener, evutil_socket_t fd, sockaddr*, int, void*) {
  auto* connection = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(connection, on_read, nullptr, on_event, nullptr);
  bufferevent_set_max_single_read(connection, 65536);
  bufferevent_set_max_single_write(connection, 65536);
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::signal(SIGPIPE, SIG_IGN);  // it writes to peers that are gone
  event_base* base = event_base_new();
  // Its accepted sockets inherit TCP_NODELAY, which libevent does not set.
  const int listener = bench::listen_on_loopback(std::atoi(argv[1]), SOCK_NONBLOCK);
  evconnlistener_new(base, on_connection, nullptr, LEV_OPT_CLOSE_ON_FREE, 0, listener);
  return event_base_dispatch(base);
}

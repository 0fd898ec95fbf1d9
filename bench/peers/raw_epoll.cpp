// SPDX-License-Identifier: MIT
// The limit of readiness: one thread, level-triggered epoll, nothing around the system calls.
//
//     $ raw_epoll PORT        echoes
//     $ raw_epoll PORT http   answers "Hello, World!" to every empty line it sees, without looking at requests
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "listener.hpp"

namespace {

constexpr char kResponse[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
constexpr std::size_t kResponseSize = sizeof kResponse - 1;

struct Connection {
  int fd = -1;
  int matched = 0;   // of "\r\n\r\n", at the end of what was read last
  std::string rest = {};  // what the socket would not take yet
};

class Server {
 public:
  Server(int port, bool http) : http_(http) {
    for (int i = 0; i < kMany; ++i) many_ += kResponse;
    listener_ = bench::listen_on_loopback(port, SOCK_NONBLOCK);
    control(EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    epoll_event events[512];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 512, -1);
      for (int i = 0; i < count; ++i) {
        if (auto* connection = static_cast<Connection*>(events[i].data.ptr)) serve(connection, events[i].events);
        else accept_all();
      }
    }
  }

 private:
  static constexpr int kMany = 64;

  void control(int operation, int fd, std::uint32_t wanted, Connection* connection) const {
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = connection;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void accept_all() const {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      control(EPOLL_CTL_ADD, fd, EPOLLIN, new Connection{.fd = fd});
    }
  }

  void serve(Connection* connection, std::uint32_t events) {
    if ((events & EPOLLOUT) && send_rest(*connection)) return;
    const auto count = recv(connection->fd, buffer_, sizeof buffer_, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      close(connection->fd);
      delete connection;
      return;
    }
    const auto size = static_cast<std::size_t>(count);
    if (!http_) return put(*connection, buffer_, size);
    for (int due = empty_lines(*connection, size); due > 0; due -= kMany) {
      put(*connection, many_.data(), kResponseSize * static_cast<std::size_t>(due < kMany ? due : kMany));
    }
  }

  // While something is left the peer is not read.
  void put(Connection& connection, const char* data, std::size_t size) const {
    if (connection.rest.empty()) {
      const auto sent = send(connection.fd, data, size, MSG_NOSIGNAL);
      if (sent == static_cast<ssize_t>(size)) return;
      if (sent > 0) data += sent, size -= static_cast<std::size_t>(sent);
      control(EPOLL_CTL_MOD, connection.fd, EPOLLOUT, &connection);
    }
    connection.rest.append(data, size);
  }

  bool send_rest(Connection& connection) const {
    const auto sent = send(connection.fd, connection.rest.data(), connection.rest.size(), MSG_NOSIGNAL);
    if (sent > 0) connection.rest.erase(0, static_cast<std::size_t>(sent));
    if (connection.rest.empty()) control(EPOLL_CTL_MOD, connection.fd, EPOLLIN, &connection);
    return sent > 0 || (sent < 0 && errno == EAGAIN);
  }

  int empty_lines(Connection& connection, std::size_t size) const {
    int found = 0;
    const char* end = buffer_ + size;
    for (const char* p = buffer_; p < end;) {
      if (connection.matched == 0) {
        p = static_cast<const char*>(std::memchr(p, '\r', static_cast<std::size_t>(end - p)));
        if (!p) break;
      }
      const char byte = *p++;
      if (byte != (connection.matched & 1 ? '\n' : '\r')) connection.matched = byte == '\r';
      else if (++connection.matched == 4) connection.matched = 0, ++found;
    }
    return found;
  }

  bool http_;
  int epoll_ = epoll_create1(0);
  int listener_ = -1;
  std::string many_;  // responses back to back, for clients that pipeline
  char buffer_[64 * 1024];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  static Server server(std::atoi(argv[1]), argc > 2 && std::strcmp(argv[2], "http") == 0);
  server.run();
}

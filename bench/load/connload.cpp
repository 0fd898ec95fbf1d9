// SPDX-License-Identifier: MIT
// Opens connections to an echo server as fast as it takes them: connect, one byte there and back, close, again.
//
//     $ connload PORT CONNECTIONS SECONDS
//     {"rate": 31000, "total": 40300, "p50_us": 510.2, "p99_us": 770.1, "cpu": 0.98}
//
// CONNECTIONS are under way at a time. A connection ends with a reset, so that neither side runs out of ports. See
// tcpload.cpp for the numbers.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "clocks.hpp"

namespace {

using bench::cpu_seconds;
using bench::now;

[[noreturn]] void die_of_errno(const char* what) {
  std::fprintf(stderr, "connload: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

struct Connection {
  int fd = -1;
  bool sent = false;
  std::int64_t began = 0;
};

class Load {
 public:
  Load(int port, std::size_t connections) : connections_(connections) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(port));
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }

  void run(double seconds) {
    const auto warm = now() + 300'000'000;
    const auto end = warm + static_cast<std::int64_t>(seconds * 1e9);
    double cpu_before = 0;
    for (auto& connection : connections_) begin(connection);
    epoll_event events[512];
    auto time = now();
    while (time < end) {
      const int count = epoll_wait(epoll_, events, 512, 100);
      for (int i = 0; i < count; ++i) serve(*static_cast<Connection*>(events[i].data.ptr));
      time = now();
      if (time >= warm && !since_) since_ = time, cpu_before = cpu_seconds();
    }
    if (times_.empty()) std::fputs("connload: no reply came\n", stderr), std::exit(1);
    const double elapsed = static_cast<double>(time - since_) / 1e9;
    std::sort(times_.begin(), times_.end());
    const auto quantile = [&](double share) {
      return static_cast<double>(times_[static_cast<std::size_t>(share * static_cast<double>(times_.size() - 1))]) / 1e3;
    };
    std::printf("{\"rate\": %.0f, \"total\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu\": %.2f}\n",
                static_cast<double>(times_.size()) / elapsed, total_, quantile(0.5), quantile(0.99),
                (cpu_seconds() - cpu_before) / elapsed);
  }

 private:
  void begin(Connection& connection) {
    connection = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .sent = false, .began = now()};
    if (connection.fd < 0) die_of_errno("socket");
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const auto* address = reinterpret_cast<const sockaddr*>(&address_);
    if (connect(connection.fd, address, sizeof address_) != 0 && errno != EINPROGRESS) die_of_errno("connect");
    control(EPOLL_CTL_ADD, connection, EPOLLOUT);
  }

  void control(int operation, Connection& connection, std::uint32_t wanted) const {
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_, operation, connection.fd, &event) != 0) die_of_errno("epoll_ctl");
  }

  void serve(Connection& connection) {
    char byte = 'b';
    if (!connection.sent) {
      if (send(connection.fd, &byte, 1, MSG_NOSIGNAL) != 1) die_of_errno("send");
      connection.sent = true;
      return control(EPOLL_CTL_MOD, connection, EPOLLIN);
    }
    if (recv(connection.fd, &byte, 1, 0) != 1) die_of_errno("recv");
    ++total_;
    if (since_) times_.push_back(now() - connection.began);
    close(connection.fd);
    begin(connection);
  }

  sockaddr_in address_{};
  std::vector<Connection> connections_;
  int epoll_ = epoll_create1(0);
  std::vector<std::int64_t> times_;
  std::int64_t since_ = 0;  // 0: still warming up
  unsigned long long total_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: connload PORT CONNECTIONS SECONDS\n", stderr);
    return 2;
  }
  Load(std::atoi(argv[1]), std::strtoul(argv[2], nullptr, 10)).run(std::atof(argv[3]));
}

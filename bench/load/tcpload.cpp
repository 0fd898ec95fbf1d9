// SPDX-License-Identifier: MIT
// Loads a TCP echo server from one thread: each connection keeps exactly one message on the way, and every
// byte that comes back is compared.
//
//     $ tcpload PORT CONNECTIONS BYTES SECONDS
//     {"rate": 190123, "total": 250111, "p50_us": 310.2, "p99_us": 570.1, "cpu": 0.98}
//
// `rate` counts messages after a warm-up of 0.3 s, `total` all of them; `cpu` is its own share of a core:
// near 1 the generator is the limit, not the server. A stalled server also stops its own load (a closed
// loop), so the latencies are service times.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "clocks.hpp"

namespace {

using bench::cpu_seconds;
using bench::now;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "tcpload: %s\n", what);
  std::exit(1);
}
[[noreturn]] void die_of_errno(const char* what) {
  std::fprintf(stderr, "tcpload: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// 64 buckets a power of two: an error below 1.6 %.
class Histogram {
 public:
  void add(std::uint64_t value) {
    const int shift = value < 64 ? 0 : std::bit_width(value) - 6;
    ++buckets_[static_cast<std::size_t>(shift) * 64 + (value >> shift)];
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  double quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if ((seen += buckets_[i]) > wanted) return static_cast<double>((i % 64) << (i / 64));
    }
    return 0;
  }

 private:
  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(64 * 66);
  std::uint64_t count_ = 0;
};

struct Connection {
  int fd = -1;
  std::size_t offset = 0;  // where its message begins in the pattern
  std::size_t sent = 0, received = 0;
  std::int64_t began = 0;
  bool wants_room = false;
};

class Load {
 public:
  Load(int port, std::size_t connections, std::size_t size) : size_(size), pattern_(size + kSlide) {
    std::uint64_t x = 88172645463325252u;
    for (auto& byte : pattern_) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      byte = static_cast<char>(x);
    }
    for (std::size_t i = 0; i < connections; ++i) connections_.push_back({.offset = i * 37 % kSlide});
    for (auto& connection : connections_) connect(connection, port);
  }

  void run(double seconds) {
    const auto warm = now() + 300'000'000;
    const auto end = warm + static_cast<std::int64_t>(seconds * 1e9);
    auto time = now();
    for (auto& connection : connections_) connection.began = time, send_rest(connection);
    epoll_event events[512];
    while (time < end) {
      const int count = epoll_wait(epoll_, events, 512, 100);
      for (int i = 0; i < count; ++i) serve(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
      time = now();
      if (time >= warm && !measuring_since_) measuring_since_ = time, cpu_before_ = cpu_seconds();
    }
    if (histogram_.count() == 0) die("no reply came");
    const double elapsed = static_cast<double>(time - measuring_since_) / 1e9;
    std::printf("{\"rate\": %.0f, \"total\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu\": %.2f}\n",
                static_cast<double>(histogram_.count()) / elapsed, static_cast<unsigned long long>(total_),
                histogram_.quantile(0.5) / 1e3, histogram_.quantile(0.99) / 1e3,
                (cpu_seconds() - cpu_before_) / elapsed);
  }

 private:
  static constexpr std::size_t kSlide = 4096;  // messages begin at different places of one random pattern

  void connect(Connection& connection, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connection.fd < 0 || ::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      die_of_errno("connect");
    }
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    control(EPOLL_CTL_ADD, connection);
  }

  void control(int operation, Connection& connection) {
    epoll_event event{};
    event.events = EPOLLIN | (connection.wants_room ? EPOLLOUT : 0u);
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_, operation, connection.fd, &event) != 0) die_of_errno("epoll_ctl");
  }

  void send_rest(Connection& connection) {
    const char* rest = pattern_.data() + connection.offset + connection.sent;
    const auto sent = send(connection.fd, rest, size_ - connection.sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die_of_errno("send");
    if (sent > 0) connection.sent += static_cast<std::size_t>(sent);
    const bool unsent = connection.sent < size_;
    if (unsent == connection.wants_room) return;
    connection.wants_room = unsent;
    control(EPOLL_CTL_MOD, connection);
  }

  void serve(Connection& connection, std::uint32_t events) {
    if (events & EPOLLOUT) send_rest(connection);
    if (!(events & ~std::uint32_t{EPOLLOUT})) return;
    const auto count = recv(connection.fd, received_.data(), received_.size(), 0);
    if (count == 0) die("the server closed a connection");
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) die_of_errno("recv");
    const char* expected = pattern_.data() + connection.offset + connection.received;
    connection.received += static_cast<std::size_t>(count);
    if (connection.received > connection.sent) die("the server sent more than it got");
    if (std::memcmp(received_.data(), expected, static_cast<std::size_t>(count)) != 0) die("the echo is wrong");
    if (connection.received < size_) return;
    finish(connection);
  }

  void finish(Connection& connection) {
    const auto time = now();
    ++total_;
    if (measuring_since_) histogram_.add(static_cast<std::uint64_t>(time - connection.began));
    connection.offset = (connection.offset + 61) % kSlide;
    connection.sent = connection.received = 0;
    connection.began = time;
    send_rest(connection);
  }

  std::size_t size_;
  int epoll_ = epoll_create1(0);
  std::vector<char> pattern_;
  std::vector<char> received_ = std::vector<char>(256 * 1024);
  std::vector<Connection> connections_;
  Histogram histogram_;
  std::uint64_t total_ = 0;
  std::int64_t measuring_since_ = 0;  // 0: still warming up
  double cpu_before_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: tcpload PORT CONNECTIONS BYTES SECONDS\n", stderr);
    return 2;
  }
  Load(std::atoi(argv[1]), std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10)).run(std::atof(argv[4]));
}

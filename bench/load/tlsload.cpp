// SPDX-License-Identifier: MIT
// Loads a TLS echo server from one thread, with blocking calls on nothing: epoll over OpenSSL's own socket calls.
//
//     $ tlsload PORT echo CONNECTIONS BYTES SECONDS       each connection keeps one message on the way
//     $ tlsload PORT handshake CONNECTIONS 0 SECONDS      each connects, sends a byte, reads it, closes, again
//     $ tlsload PORT resume CONNECTIONS 0 SECONDS         the same, with the session of the one before
//     {"rate": 42100, "total": 54222, "p50_us": 310.2, "p99_us": 570.1, "cpu": 0.98, "reused": 0}
//
// The server's certificate is not looked at: what is measured is the server. See tcpload.cpp for the numbers.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "clocks.hpp"

namespace {

using bench::cpu_seconds;
using bench::now;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "tlsload: %s\n", what);
  std::exit(1);
}

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  SSL_SESSION* session = nullptr;
  bool open = false, wants_room = false;
  std::size_t sent = 0, received = 0;
  std::int64_t began = 0;
};

class Load {
 public:
  Load(int port, std::string what, std::size_t connections, std::size_t size)
      : port_(port), short_(what != "echo"), resume_(what == "resume"), message_(short_ ? 1 : size, 'm'), all_(connections) {
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto& connection = *static_cast<Connection*>(SSL_get_app_data(ssl));
      SSL_SESSION_free(connection.session);
      connection.session = session;
      return 1;
    });
    for (auto& connection : all_) begin(connection);
  }

  void run(double seconds) {
    const auto warm = now() + 300'000'000;
    const auto end = warm + static_cast<std::int64_t>(seconds * 1e9);
    double cpu_before = 0;
    epoll_event events[512];
    auto time = now();
    while (time < end) {
      const int count = epoll_wait(epoll_, events, 512, 100);
      for (int i = 0; i < count; ++i) serve(*static_cast<Connection*>(events[i].data.ptr));
      time = now();
      if (time >= warm && !since_) since_ = time, cpu_before = cpu_seconds();
    }
    if (times_.empty()) die("no reply came");
    const double elapsed = static_cast<double>(time - since_) / 1e9;
    std::sort(times_.begin(), times_.end());
    const auto quantile = [&](double share) {
      return static_cast<double>(times_[static_cast<std::size_t>(share * static_cast<double>(times_.size() - 1))]) / 1e3;
    };
    std::printf("{\"rate\": %.0f, \"total\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu\": %.2f, \"reused\": %llu}\n",
                static_cast<double>(times_.size()) / elapsed, static_cast<unsigned long long>(total_), quantile(0.5),
                quantile(0.99), (cpu_seconds() - cpu_before) / elapsed, static_cast<unsigned long long>(reused_));
  }

 private:
  void begin(Connection& connection) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die(std::strerror(errno));
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // The generator would run out of ports: no TIME_WAIT.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (short_) setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    connection.ssl = SSL_new(context_);
    SSL_set_fd(connection.ssl, connection.fd);
    SSL_set_app_data(connection.ssl, &connection);
    SSL_set_connect_state(connection.ssl);
    if (resume_ && connection.session) SSL_set_session(connection.ssl, connection.session);
    connection.open = connection.wants_room = false;
    connection.sent = connection.received = 0;
    connection.began = now();
    control(EPOLL_CTL_ADD, connection);
    serve(connection);
  }

  void control(int operation, Connection& connection) const {
    epoll_event event{};
    event.events = EPOLLIN | (connection.wants_room ? EPOLLOUT : 0u);
    event.data.ptr = &connection;
    epoll_ctl(epoll_, operation, connection.fd, &event);
  }

  // True: go on. False: wait for the socket.
  bool went_well(Connection& connection, int result) {
    if (result > 0) return true;
    const int error = SSL_get_error(connection.ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) die("the server ended a connection");
    const bool wants_room = error == SSL_ERROR_WANT_WRITE;
    if (wants_room != connection.wants_room) {
      connection.wants_room = wants_room;
      control(EPOLL_CTL_MOD, connection);
    }
    return false;
  }

  void serve(Connection& connection) {
    ERR_clear_error();
    if (!connection.open) {
      if (!went_well(connection, SSL_do_handshake(connection.ssl))) return;
      connection.open = true;
      reused_ += SSL_session_reused(connection.ssl);
    }
    for (;;) {
      while (connection.sent < message_.size()) {
        const int sent = SSL_write(connection.ssl, message_.data() + connection.sent, static_cast<int>(message_.size() - connection.sent));
        if (sent <= 0 && SSL_get_error(connection.ssl, sent) == SSL_ERROR_WANT_WRITE) break;
        if (!went_well(connection, sent)) return;
        connection.sent += static_cast<std::size_t>(sent);
      }
      const int count = SSL_read(connection.ssl, buffer_, sizeof buffer_);
      if (!went_well(connection, count)) return;
      connection.received += static_cast<std::size_t>(count);
      if (connection.received < message_.size()) continue;
      finish(connection);
      if (short_) return;
    }
  }

  void finish(Connection& connection) {
    const auto time = now();
    ++total_;
    if (since_) times_.push_back(time - connection.began);
    connection.sent = connection.received = 0;
    connection.began = time;
    if (!short_) return;
    SSL_shutdown(connection.ssl);
    SSL_set_shutdown(connection.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(connection.ssl);
    close(connection.fd);
    begin(connection);
  }

  int port_;
  bool short_, resume_;
  std::string message_;
  std::vector<Connection> all_;
  SSL_CTX* context_ = SSL_CTX_new(TLS_client_method());
  int epoll_ = epoll_create1(0);
  std::vector<std::int64_t> times_;
  std::int64_t since_ = 0;  // 0: still warming up
  std::uint64_t total_ = 0, reused_ = 0;
  char buffer_[64 * 1024];
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  if (argc != 6) {
    std::fputs("usage: tlsload PORT echo|handshake|resume CONNECTIONS BYTES SECONDS\n", stderr);
    return 2;
  }
  Load(std::atoi(argv[1]), argv[2], std::strtoul(argv[3], nullptr, 10), std::strtoul(argv[4], nullptr, 10)).run(std::atof(argv[5]));
}

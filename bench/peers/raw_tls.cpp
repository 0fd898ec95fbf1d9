// SPDX-License-Identifier: MIT
// The limit of TLS on OpenSSL: one thread, level-triggered epoll, SSL_read and SSL_write on the socket.
//
//     $ raw_tls PORT        echoes
//
// It makes a P-256 certificate of its own, as eddy's example does. What the socket does not take at once it waits for.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "listener.hpp"

namespace {

SSL_CTX* make_context() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  return context;
}

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  bool open = false;
  bool waits = false;     // for room
  std::string rest = {};  // what the socket would not take yet
};

class Server {
 public:
  explicit Server(int port) {
    listener_ = bench::listen_on_loopback(port, SOCK_NONBLOCK);
    control(EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    epoll_event events[512];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 512, -1);
      for (int i = 0; i < count; ++i) {
        if (auto* connection = static_cast<Connection*>(events[i].data.ptr)) serve(connection);
        else accept_all();
      }
    }
  }

 private:
  void control(int operation, int fd, std::uint32_t wanted, Connection* connection) const {
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = connection;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void accept_all() const {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      auto* connection = new Connection{.fd = fd, .ssl = SSL_new(context_)};
      SSL_set_fd(connection->ssl, fd);
      SSL_set_accept_state(connection->ssl);
      control(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
    }
  }

  void end(Connection* connection) const {
    SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    close(connection->fd);
    delete connection;
  }

  void serve(Connection* connection) {
    ERR_clear_error();
    if (!connection->open) {
      const int result = SSL_do_handshake(connection->ssl);
      if (result != 1) {
        if (SSL_get_error(connection->ssl, result) != SSL_ERROR_WANT_READ) end(connection);
        return;
      }
      connection->open = true;
    }
    if (!connection->rest.empty() && !send_rest(*connection)) return;
    do {
      const int count = SSL_read(connection->ssl, buffer_, sizeof buffer_);
      if (count <= 0) {
        if (SSL_get_error(connection->ssl, count) != SSL_ERROR_WANT_READ) end(connection);
        return;
      }
      connection->rest.assign(buffer_, static_cast<std::size_t>(count));
      if (!send_rest(*connection)) return;
    } while (SSL_pending(connection->ssl) > 0);
  }

  // While something is left the peer is not read.
  bool send_rest(Connection& connection) const {
    while (!connection.rest.empty()) {
      const int sent = SSL_write(connection.ssl, connection.rest.data(), static_cast<int>(connection.rest.size()));
      if (sent <= 0) {
        if (!connection.waits) control(EPOLL_CTL_MOD, connection.fd, EPOLLOUT, &connection);
        connection.waits = true;
        return false;
      }
      connection.rest.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection.waits) control(EPOLL_CTL_MOD, connection.fd, EPOLLIN, &connection);
    connection.waits = false;
    return true;
  }

  SSL_CTX* context_ = make_context();
  int epoll_ = epoll_create1(0);
  int listener_ = -1;
  char buffer_[64 * 1024];
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  if (argc < 2) return 2;
  static Server server(std::atoi(argv[1]));
  server.run();
}

// SPDX-License-Identifier: MIT
// One side of a TLS connection without its connection: bytes in, bytes out, no I/O and no clock. OpenSSL's state
// machine over two buffers of our own, so that an idle session holds no block of either.
//
//     input_space(), input_added()  -->  |  handshake() until done        |  -->  output(), output_sent()
//     end_input()                        |  read(), write(), shut_down()  |
//
// RFC 5246 (1.2), RFC 8446 (1.3).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/read_buffer.hpp"
#include "io/tls_context.hpp"

namespace eddy::detail {

enum class TlsResult : unsigned char {
  done,
  starved,  // it needs more input
  closed,   // the peer said that nothing follows: close_notify
  failed,   // see failure(); the session is of no use any more
};

/// Why a session failed.
struct TlsFailure {
  enum Kind : unsigned char { none, protocol, certificate, truncated } kind = none;
  unsigned long code = 0;   // OpenSSL's
  int alert = 0;            // that the peer sent; 0: none
  // Of a certificate.
  int verify_code = 0;
  std::string subject;
  std::vector<std::string> names;
  std::string not_before, not_after;
};

class TlsSession {
 public:
  /// `host`: of a client, whom it wants to talk to; "" checks no name.
  TlsSession(std::shared_ptr<TlsContext> context, std::string host);
  TlsSession(const TlsSession&) = delete;
  ~TlsSession();

  // Bytes from the peer. The space stays valid until input_added().
  std::span<char> input_space() { return input_.space(input_.size() + 1); }
  void input_added(std::size_t count) noexcept { input_.added(count); }
  void end_input() noexcept { input_ended_ = true; }
  /// There is something that read() could look at: call it rather than wait.
  bool has_input() const noexcept { return !input_.empty() || input_ended_ || closed_ || failed() || SSL_pending(ssl_.get()) > 0; }
  void drop_input() noexcept { input_.consume(input_.size()); }
  /// Gives memory back that holds nothing.
  void rest() noexcept {
    input_.rest();
    output_.rest();
  }

  // Bytes for the peer.
  std::string_view output() const noexcept { return output_.readable(); }
  void output_sent(std::size_t count) noexcept { output_.consume(count); }
  /// The most that is sealed ahead of what the kernel takes, bytes.
  static constexpr std::size_t kMostOutput = 64 * 1024;
  /// Another record fits into it.
  bool has_room() const noexcept { return output_.size() + kRecord <= kMostOutput; }

  /// The peer makes us answer and does not take the answers: read no more of it.
  bool is_clogged() const noexcept { return output_.size() > 2 * kMostOutput; }

  struct Transfer {
    TlsResult result;
    std::size_t count = 0;
  };
  TlsResult handshake();
  Transfer read(std::span<char> space);
  /// One record of `bytes`. Never starved.
  Transfer write(std::string_view bytes);
  /// No more writes: puts close_notify into the output, once. Reading goes on.
  void shut_down();

  bool failed() const noexcept { return failure_.kind != TlsFailure::none; }
  const TlsFailure& failure() const noexcept { return failure_; }
  bool is_server() const noexcept { return context_->settings().is_server; }
  const std::string& host() const noexcept { return host_; }

  tls::Info info() const;

  // Callbacks of OpenSSL.
  static int verified(int accepted, X509_STORE_CTX* context);
  static int new_session(SSL* ssl, SSL_SESSION* session);

 private:
  static constexpr std::size_t kRecord = SSL3_RT_MAX_ENCRYPTED_LENGTH + SSL3_RT_HEADER_LENGTH;

  static BIO_METHOD* bio_method();
  static int bio_read(BIO* bio, char* into, int room) noexcept;
  static int bio_write(BIO* bio, const char* bytes, int count) noexcept;
  static long bio_control(BIO* bio, int command, long number, void* pointer) noexcept;

  void name_peer();
  TlsResult explain(int result);

  std::shared_ptr<TlsContext> context_;
  std::string host_;
  OwnedSsl ssl_;
  ReadBuffer input_, output_;
  TlsFailure failure_;
  bool input_ended_ = false;
  bool closed_ = false;  // the peer's close_notify came
  bool shut_ = false;    // ours is out
  bool shaken_ = false;
};

}  // namespace eddy::detail

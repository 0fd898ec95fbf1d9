// SPDX-License-Identifier: MIT
// What tls::Context shares: OpenSSL's context, which reload() exchanges, and the sessions that can be resumed.
#pragma once

#include <eddy/tls.hpp>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/unique_fd.hpp"
#include "io/tls_openssl.hpp"

namespace eddy::detail {

/// The options of both sides, owned.
struct TlsSettings {
  bool is_server = false;
  // Of the peer's certificate.
  bool verify = true;
  bool check_hostname = true;
  bool certificate_optional = false;
  std::string ca_pem, ca_file;
  // What is offered.
  std::string alpn;  // each with its length in front
  tls::Version minimum = tls::Version::tls1_2, maximum = tls::Version::tls1_3;
  std::string ciphers, ciphersuites;
  // Behaviour.
  bool expect_close_notify = true;
  int tickets = 2;
  std::size_t cached_sessions = 0;
  std::string key_log;
  const char* operation() const noexcept { return is_server ? "tls::server" : "tls::client"; }
};

class TlsContext {
 public:
  TlsContext(TlsSettings settings, const tls::Identity* identity);
  TlsContext(const TlsContext&) = delete;

  const TlsSettings& settings() const noexcept { return settings_; }

  /// A new connection's state. From any thread, as all of these.
  OwnedSsl make_ssl();
  void reload(const tls::Identity& identity);

  /// What a client last agreed on with `host`, or null. A TLS 1.3 session is used once (RFC 8446, C.4).
  OwnedSession take_session(const std::string& host);
  void keep_session(const std::string& host, OwnedSession session);

 private:
  OwnedSslContext make(const tls::Identity* identity) const;
  void use_identity(SSL_CTX* context, const tls::Identity& identity) const;
  void use_authorities(SSL_CTX* context) const;
  void use_protocols(SSL_CTX* context) const;
  void open_key_log();
  static void log_keys(const SSL* ssl, const char* line);
  static int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                             unsigned offered_size, void* context);

  struct Known {
    std::string host;
    OwnedSession session;
  };

  const TlsSettings settings_;
  UniqueFd key_log_;
  std::mutex mutex_;
  OwnedSslContext context_;
  std::list<Known> known_;  // the one used last in front
  std::unordered_map<std::string_view, std::list<Known>::iterator> by_host_;
};

}  // namespace eddy::detail

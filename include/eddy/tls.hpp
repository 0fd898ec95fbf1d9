// SPDX-License-Identifier: MIT
// TLS 1.2 and 1.3 for streams: Python's `ssl`, with verification on by default.
//
//     auto server = co_await eddy::start_server(echo, "", 8443, {.tls = &serving});
//     auto [reader, writer] = co_await eddy::open_connection("example.org", 443, {.tls = &trusting});
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/streams.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eddy {

namespace detail {
class TlsContext;
}

namespace tls {

/// What went wrong in TLS: `ssl.SSLError`. The connection is of no use any more.
class Error : public OSError {
 public:
  /// `code`: OpenSSL's reason, or 0.
  Error(int code, std::string reason, const std::string& what);
  /// Without the operation and the peer: "wrong version number", "certificate required (alert 116)".
  const std::string& reason() const noexcept { return reason_; }

 private:
  std::string reason_;
};

/// The peer's certificate was refused: `ssl.SSLCertVerificationError`.
class CertificateError : public Error {
 public:
  CertificateError(int verify_code, std::string host, std::string subject, std::string reason, const std::string& what);
  /// Whom we wanted to talk to; of a client's certificate, where it connected from.
  const std::string& host() const noexcept { return host_; }
  /// Whose certificate it is: "CN=localhost"; "" if the peer sent none.
  const std::string& subject() const noexcept { return subject_; }
  /// OpenSSL's X509_V_ERR_…: 18 for a self-signed certificate, 62 for another host's.
  int verify_code() const noexcept { return verify_code_; }

 private:
  std::string host_, subject_;
  int verify_code_;
};

/// The connection ended without TLS's own end, close_notify: what came may have been cut off by somebody
/// (`ssl.SSLEOFError`). Peers that are known to do so: `expect_close_notify = false`.
class TruncatedError : public Error {
  using Error::Error;
};

enum class Version : unsigned char { tls1_2, tls1_3 };

/// Who one is: a certificate, the intermediate ones after it, and the private key, in PEM.
struct Identity {
  std::string certificate_pem;
  std::string key_pem;
  std::string password = {};  // of the key, if it is encrypted
};

/// Reads both from files; without `key_file`, both from the first. Blocks. Throws OSError that names the file.
Identity load_identity(const std::string& certificate_file, const std::string& key_file = {}, std::string password = {});

/// A new identity that vouches for itself, for tests: a P-256 key and a certificate for `names`, host names and IP
/// addresses separated by commas. Clients trust it with `ca_pem = identity.certificate_pem`.
Identity self_signed(std::string_view names, Duration valid_for = std::chrono::hours(24 * 365));

/// A peer's certificate.
struct Certificate {
  std::string subject, issuer;     // "CN=localhost"
  std::vector<std::string> names;  // what it is for: host names, IP addresses
  std::int64_t not_before = 0, not_after = 0;  // seconds since 1970
  std::string serial;              // hexadecimal
  std::string sha256;              // the fingerprint, hexadecimal
  std::string pem;
};
/// Throws ValueError if there is none in it.
Certificate parse_certificate(std::string_view pem);

struct ClientOptions {
  // Whom to trust.
  std::string_view ca_pem = {};   // these and nobody else; empty: see ca_file
  std::string_view ca_file = {};  // the same from a file; empty too: the system's store
  bool verify = true;             // false: anybody can pose as the server
  bool check_hostname = true;     // false: any server that is trusted can pose as any other
  // What is offered.
  const Identity* identity = nullptr;  // for servers that ask for a certificate; copied
  std::string_view alpn = {};          // protocols, the preferred one first: "h2,http/1.1"
  Version minimum_version = Version::tls1_2;
  Version maximum_version = Version::tls1_3;
  std::string_view ciphers = {};       // of TLS 1.2, in OpenSSL's notation: "ECDHE+AESGCM"; empty: OpenSSL's choice
  std::string_view ciphersuites = {};  // of TLS 1.3: "TLS_AES_128_GCM_SHA256"
  // Behaviour.
  bool expect_close_notify = true;     // false: an end without close_notify is an ordinary end
  std::size_t cached_sessions = 256;   // hosts whose last sessions are kept for resumption; 0: none
  std::string_view key_log = {};       // a file for Wireshark; empty: the environment's SSLKEYLOGFILE, if set
};

/// Whether a server asks its clients for certificates.
enum class ClientCertificates : unsigned char { none, optional, required };

struct ServerOptions {
  // Whom to trust.
  ClientCertificates client_certificates = ClientCertificates::none;
  std::string_view ca_pem = {};   // who may vouch for clients
  std::string_view ca_file = {};  // the same from a file; both empty: the system's store
  // What is offered.
  std::string_view alpn = {};     // protocols, the preferred one first; no common one: none is used
  Version minimum_version = Version::tls1_2;
  Version maximum_version = Version::tls1_3;
  std::string_view ciphers = {};
  std::string_view ciphersuites = {};
  // Behaviour.
  bool expect_close_notify = true;
  int tickets = 2;                // for resumption, sent after each full handshake; 0: none
  std::string_view key_log = {};
};

/// How to speak TLS, for any number of connections: `ssl.SSLContext`. Made by client() and server().
///
/// A cheap handle that may be copied and shared between threads; connections keep what they need of it, so the
/// context that an options struct points to has to live only until the call returns.
class Context {
 public:
  Context() noexcept = default;
  explicit Context(std::shared_ptr<detail::TlsContext> core) noexcept : core_(std::move(core)) {}

  explicit operator bool() const noexcept { return core_ != nullptr; }
  bool is_server() const noexcept;

  /// New connections show another certificate; open ones go on. For servers whose certificate was renewed. Throws
  /// as server() does, and then nothing changes. From any thread.
  void reload(const Identity& identity);

  detail::TlsContext& core() const noexcept { return *core_; }
  const std::shared_ptr<detail::TlsContext>& shared_core() const noexcept { return core_; }

 private:
  std::shared_ptr<detail::TlsContext> core_;
};

/// A context for clients: verifies the server and its name. Throws ValueError for what it cannot use (a PEM text
/// without a certificate, a key that belongs to another one, an unknown cipher), OSError for a file.
Context client(ClientOptions options = {});
/// A context for servers that are `identity`. Throws as client() does.
Context server(const Identity& identity, ServerOptions options = {});

/// What was agreed on with the peer.
struct Info {
  std::string version;       // "TLSv1.3"
  std::string cipher;        // "TLS_AES_256_GCM_SHA384"
  std::string alpn;          // the protocol that both know; "": none
  std::string server_name;   // whom the client asked for (SNI)
  bool session_reused = false;
  std::optional<Certificate> peer_certificate;
};
/// Throws RuntimeError for a stream without TLS and for a closed one.
Info info(const StreamWriter& writer);

}  // namespace tls
}  // namespace eddy

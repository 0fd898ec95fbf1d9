// SPDX-License-Identifier: MIT
#include "io/tls_context.hpp"

#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "io/tls_certificate.hpp"
#include "io/tls_session.hpp"

namespace eddy {
namespace detail {
namespace {

int number_of(tls::Version version) noexcept {
  return version == tls::Version::tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

// Reads a private key. OpenSSL must never ask at the terminal.
struct Password {
  const std::string& text;
  bool asked = false;
  static int give(char* buffer, int room, int, void* context) noexcept {
    auto& self = *static_cast<Password*>(context);
    self.asked = true;
    if (self.text.empty() || self.text.size() > static_cast<std::size_t>(room)) return -1;
    std::memcpy(buffer, self.text.data(), self.text.size());
    return static_cast<int>(self.text.size());
  }
};

OwnedKey read_key(const char* operation, const tls::Identity& identity) {
  const auto bio = bio_over(identity.key_pem);
  Password password{identity.password};
  OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &Password::give, &password));
  const auto error = take_ssl_error();
  if (key) return key;
  if (password.asked && identity.password.empty()) {
    throw ValueError(fmt::format("{}: the private key is encrypted; give its password", operation));
  }
  if (password.asked) throw ValueError(fmt::format("{}: the private key cannot be decrypted with the given password", operation));
  throw ValueError(fmt::format("{}: there is no private key in {} bytes of PEM: {}", operation, identity.key_pem.size(),
                               ssl_reason(error)));
}

std::vector<OwnedX509> read_some(const char* operation, const char* field, std::string_view pem) {
  std::vector<OwnedX509> all;
  try {
    all = read_certificates(pem);
  } catch (const ValueError& e) {
    throw ValueError(fmt::format("{}: {}: {}", operation, field, e.what()));
  }
  if (all.empty()) throw ValueError(fmt::format("{}: {}: there is no certificate in {} bytes of PEM", operation, field, pem.size()));
  return all;
}

std::string protocol_list(const char* operation, std::string_view names) {
  std::string wire;
  while (!names.empty()) {
    const auto end = names.find(',');
    const auto name = names.substr(0, end);
    names.remove_prefix(end == names.npos ? names.size() : end + 1);
    if (name.empty() || name.size() > 255) {
      throw ValueError(fmt::format("{}: alpn: a protocol's name has 1 to 255 bytes, '{}' has {}", operation,
                                   name.substr(0, 32), name.size()));
    }
    wire += static_cast<char>(name.size());
    wire += name;
  }
  return wire;
}

[[noreturn]] void throw_refused(const char* operation, std::string_view what) {
  throw ValueError(fmt::format("{}: {}: {}", operation, what, ssl_reason(take_ssl_error())));
}

}  // namespace

TlsContext::TlsContext(TlsSettings settings, const tls::Identity* identity) : settings_(std::move(settings)) {
  if (settings_.minimum > settings_.maximum) {
    throw ValueError(fmt::format("{}: minimum_version is above maximum_version", settings_.operation()));
  }
  open_key_log();
  context_ = make(identity);
  SSL_CTX_set_app_data(context_.get(), this);
}

OwnedSslContext TlsContext::make(const tls::Identity* identity) const {
  const auto* operation = settings_.operation();
  OwnedSslContext owner(SSL_CTX_new(settings_.is_server ? TLS_server_method() : TLS_client_method()));
  auto* context = owner.get();
  if (!context) throw_refused(operation, "OpenSSL cannot make a context");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  // The chain is the one we were given: OpenSSL would look for more in the store, at every handshake.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  use_protocols(context);
  if (identity) use_identity(context, *identity);
  if (settings_.verify) use_authorities(context);
  const int required = settings_.certificate_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  if (settings_.verify) SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, &TlsSession::verified);
  else SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  if (settings_.is_server) {
    // Sessions are in the clients' tickets, none are kept here.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("eddy"), 4);
    SSL_CTX_set_num_tickets(context, static_cast<std::size_t>(settings_.tickets));
    if (settings_.tickets == 0) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_dh_auto(context, 1);
  } else {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (settings_.cached_sessions > 0) SSL_CTX_sess_set_new_cb(context, &TlsSession::new_session);
  }
  if (key_log_) SSL_CTX_set_keylog_callback(context, &log_keys);
  return owner;
}

void TlsContext::use_protocols(SSL_CTX* context) const {
  const auto* operation = settings_.operation();
  SSL_CTX_set_min_proto_version(context, number_of(settings_.minimum));
  SSL_CTX_set_max_proto_version(context, number_of(settings_.maximum));
  if (!settings_.ciphers.empty() && SSL_CTX_set_cipher_list(context, settings_.ciphers.c_str()) != 1) {
    throw_refused(operation, fmt::format("ciphers '{}'", settings_.ciphers));
  }
  if (!settings_.ciphersuites.empty() && SSL_CTX_set_ciphersuites(context, settings_.ciphersuites.c_str()) != 1) {
    throw_refused(operation, fmt::format("ciphersuites '{}'", settings_.ciphersuites));
  }
  if (settings_.alpn.empty()) return;
  if (settings_.is_server) {
    SSL_CTX_set_alpn_select_cb(context, &choose_protocol, const_cast<TlsContext*>(this));
  } else {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(settings_.alpn.data()),
                            static_cast<unsigned>(settings_.alpn.size()));
  }
}

void TlsContext::use_identity(SSL_CTX* context, const tls::Identity& identity) const {
  const auto* operation = settings_.operation();
  auto chain = read_some(operation, "certificate_pem", identity.certificate_pem);
  const auto key = read_key(operation, identity);
  auto* own = chain.front().get();
  if (X509_check_private_key(own, key.get()) != 1) {
    ERR_clear_error();
    throw ValueError(fmt::format("{}: the private key does not belong to the certificate of '{}'", operation,
                                 name_text(X509_get_subject_name(own))));
  }
  if (SSL_CTX_use_certificate(context, own) != 1 || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    throw_refused(operation, fmt::format("the certificate of '{}'", name_text(X509_get_subject_name(own))));
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) throw_refused(operation, "a certificate of the chain");
  }
}

void TlsContext::use_authorities(SSL_CTX* context) const {
  auto* store = SSL_CTX_get_cert_store(context);
  // Whoever is named here is trusted, whether or not he is a root.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  if (settings_.ca_pem.empty() && settings_.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return;
  }
  const bool from_file = settings_.ca_pem.empty();
  const auto pem = from_file ? read_pem_file(settings_.operation(), settings_.ca_file) : settings_.ca_pem;
  for (const auto& authority : read_some(settings_.operation(), from_file ? "ca_file" : "ca_pem", pem)) {
    X509_STORE_add_cert(store, authority.get());
    if (settings_.is_server) SSL_CTX_add_client_CA(context, authority.get());
  }
}

OwnedSsl TlsContext::make_ssl() {
  const std::lock_guard lock(mutex_);
  OwnedSsl ssl(SSL_new(context_.get()));
  if (!ssl) throw std::bad_alloc();
  return ssl;
}

void TlsContext::reload(const tls::Identity& identity) {
  auto fresh = make(&identity);
  SSL_CTX_set_app_data(fresh.get(), this);
  const std::lock_guard lock(mutex_);
  // Tickets that are under way stay good.
  unsigned char keys[256];
  const auto size = SSL_CTX_get_tlsext_ticket_keys(context_.get(), nullptr, 0);
  if (size > 0 && size <= static_cast<long>(sizeof keys) && SSL_CTX_get_tlsext_ticket_keys(context_.get(), keys, size) == 1) {
    SSL_CTX_set_tlsext_ticket_keys(fresh.get(), keys, size);
  }
  OPENSSL_cleanse(keys, sizeof keys);
  context_ = std::move(fresh);
}

// --- sessions -----------------------------------------------------------------------------------------

OwnedSession TlsContext::take_session(const std::string& host) {
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host);
  if (found == by_host_.end()) return nullptr;
  const auto known = found->second;
  if (SSL_SESSION_get_protocol_version(known->session.get()) < TLS1_3_VERSION) {
    known_.splice(known_.begin(), known_, known);
    SSL_SESSION_up_ref(known->session.get());
    return OwnedSession(known->session.get());
  }
  auto session = std::move(known->session);
  by_host_.erase(found);
  known_.erase(known);
  return session;
}

void TlsContext::keep_session(const std::string& host, OwnedSession session) {
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host);
  if (found != by_host_.end()) {
    found->second->session = std::move(session);
    known_.splice(known_.begin(), known_, found->second);
    return;
  }
  known_.push_front({host, std::move(session)});
  by_host_.emplace(known_.front().host, known_.begin());
  if (known_.size() <= settings_.cached_sessions) return;
  by_host_.erase(known_.back().host);
  known_.pop_back();
}

// --- callbacks of OpenSSL -----------------------------------------------------------------------------

void TlsContext::open_key_log() {
  const char* name = settings_.key_log.empty() ? ::secure_getenv("SSLKEYLOGFILE") : settings_.key_log.c_str();
  if (!name || !*name) return;
  key_log_ = UniqueFd(::open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!key_log_) throw_os_error(errno, fmt::format("{}: open the key log '{}'", settings_.operation(), name));
}

void TlsContext::log_keys(const SSL* ssl, const char* line) {
  const auto* self = static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  // One write a line, so that processes can share the file.
  char text[512];
  const auto size = std::strlen(line);
  if (size + 1 > sizeof text) return;
  std::memcpy(text, line, size);
  text[size] = '\n';
  static_cast<void>(::write(self->key_log_.get(), text, size + 1) == 0);
}

int TlsContext::choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                                unsigned offered_size, void* context) {
  const auto& ours = static_cast<const TlsContext*>(context)->settings_.alpn;
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                           static_cast<unsigned>(ours.size()), offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace detail

namespace tls {

bool Context::is_server() const noexcept { return core_ && core_->settings().is_server; }

void Context::reload(const Identity& identity) {
  if (!core_) throw RuntimeError("reload of a tls::Context that is empty; tls::server() and tls::client() make contexts");
  core_->reload(identity);
}

Context client(ClientOptions options) {
  detail::TlsSettings settings;
  settings.verify = options.verify;
  settings.check_hostname = options.check_hostname;
  settings.ca_pem = options.ca_pem;
  settings.ca_file = options.ca_file;
  settings.alpn = detail::protocol_list("tls::client", options.alpn);
  settings.minimum = options.minimum_version;
  settings.maximum = options.maximum_version;
  settings.ciphers = options.ciphers;
  settings.ciphersuites = options.ciphersuites;
  settings.expect_close_notify = options.expect_close_notify;
  settings.cached_sessions = options.cached_sessions;
  settings.key_log = options.key_log;
  return Context(std::make_shared<detail::TlsContext>(std::move(settings), options.identity));
}

Context server(const Identity& identity, ServerOptions options) {
  if (options.tickets < 0 || options.tickets > 16) {
    throw ValueError(fmt::format("tls::server: tickets is {}; 0 to 16 can be sent", options.tickets));
  }
  detail::TlsSettings settings;
  settings.is_server = true;
  settings.verify = options.client_certificates != ClientCertificates::none;
  settings.certificate_optional = options.client_certificates == ClientCertificates::optional;
  settings.check_hostname = false;
  settings.ca_pem = options.ca_pem;
  settings.ca_file = options.ca_file;
  settings.alpn = detail::protocol_list("tls::server", options.alpn);
  settings.minimum = options.minimum_version;
  settings.maximum = options.maximum_version;
  settings.ciphers = options.ciphers;
  settings.ciphersuites = options.ciphersuites;
  settings.expect_close_notify = options.expect_close_notify;
  settings.tickets = options.tickets;
  settings.key_log = options.key_log;
  return Context(std::make_shared<detail::TlsContext>(std::move(settings), &identity));
}

}  // namespace tls
}  // namespace eddy

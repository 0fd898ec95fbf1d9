// SPDX-License-Identifier: MIT
#include "io/tls_session.hpp"

#include <arpa/inet.h>
#include <eddy/exceptions.hpp>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "io/tls_certificate.hpp"

namespace eddy::detail {
namespace {

bool is_address(const std::string& host) noexcept {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

std::string time_text(const ASN1_TIME* time) {
  OwnedBio bio(BIO_new(BIO_s_mem()));
  return bio && ASN1_TIME_print_ex(bio.get(), time, ASN1_DTFLGS_ISO8601) == 1 ? text_of(bio.get()) : std::string();
}

// Somebody else's errors in this thread's queue would be taken for ours.
void forget_old_errors() noexcept {
  if (ERR_peek_error() != 0) [[unlikely]] ERR_clear_error();
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<TlsContext> context, std::string host)
    : context_(std::move(context)), host_(std::move(host)), ssl_(context_->make_ssl()) {
  auto* ssl = ssl_.get();
  SSL_set_app_data(ssl, this);
  BIO* bio = BIO_new(bio_method());
  if (!bio) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);  // the session's, for both directions
  if (is_server()) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  name_peer();
  if (auto session = context_->take_session(host_)) SSL_set_session(ssl, session.get());
}

TlsSession::~TlsSession() {
  // OpenSSL takes a session that did not end with close_notify on both sides for a bad one; ours is as good as before.
  if (shaken_ && !failed()) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void TlsSession::name_peer() {
  if (host_.ends_with('.')) host_.pop_back();  // an absolute name's last dot is in no certificate
  if (host_.empty()) return;
  auto* ssl = ssl_.get();
  const bool address = is_address(host_);
  if (!address) SSL_set_tlsext_host_name(ssl, host_.c_str());
  if (!context_->settings().verify || !context_->settings().check_hostname) return;
  auto* rules = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const int set = address ? X509_VERIFY_PARAM_set1_ip_asc(rules, host_.c_str())
                          : X509_VERIFY_PARAM_set1_host(rules, host_.data(), host_.size());
  if (set != 1) throw ValueError("TLS: '" + host_ + "' cannot be a host name");
}

// --- the buffers as OpenSSL sees them -----------------------------------------------------------------

BIO_METHOD* TlsSession::bio_method() {
  static BIO_METHOD* const method = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "eddy");
    if (!made) throw std::bad_alloc();
    BIO_meth_set_read(made, &bio_read);
    BIO_meth_set_write(made, &bio_write);
    BIO_meth_set_ctrl(made, &bio_control);
    return made;
  }();
  return method;
}

// The end of the input is "not now" too: explain() knows better than OpenSSL what it means.
int TlsSession::bio_read(BIO* bio, char* into, int room) noexcept {
  auto& self = *static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const auto bytes = self.input_.readable().substr(0, static_cast<std::size_t>(std::max(room, 0)));
  if (bytes.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, bytes.data(), bytes.size());
  self.input_.consume(bytes.size());
  return static_cast<int>(bytes.size());
}

int TlsSession::bio_write(BIO* bio, const char* bytes, int count) noexcept {
  auto& self = *static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (count <= 0) return 0;
  try {
    const auto size = static_cast<std::size_t>(count);
    std::memcpy(self.output_.space(self.output_.size() + size).data(), bytes, size);
    self.output_.added(size);
    return count;
  } catch (...) {
    return -1;
  }
}

long TlsSession::bio_control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// --- what it does -------------------------------------------------------------------------------------

TlsResult TlsSession::handshake() {
  if (failed()) return TlsResult::failed;
  forget_old_errors();
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) return explain(result);
  shaken_ = true;
  return TlsResult::done;
}

TlsSession::Transfer TlsSession::read(std::span<char> space) {
  if (failed()) return {TlsResult::failed};
  std::size_t total = 0;
  do {
    forget_old_errors();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), space.data() + total, space.size() - total, &count);
    if (result != 1) {
      // What is wrong behind bytes that are good is told by the next read.
      const auto why = explain(result);
      if (total > 0) return {TlsResult::done, total};
      return {why};
    }
    total += count;
  } while (total < space.size() && (!input_.empty() || SSL_pending(ssl_.get()) > 0));
  return {TlsResult::done, total};
}

TlsSession::Transfer TlsSession::write(std::string_view bytes) {
  if (failed()) return {TlsResult::failed};
  forget_old_errors();
  std::size_t count = 0;
  const auto record = bytes.substr(0, SSL3_RT_MAX_PLAIN_LENGTH);
  const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &count);
  if (result == 1) return {TlsResult::done, count};
  explain(result);
  if (!failed()) failure_.kind = TlsFailure::protocol;
  return {TlsResult::failed};
}

void TlsSession::shut_down() {
  if (failed() || !shaken_ || std::exchange(shut_, true)) return;
  forget_old_errors();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

TlsResult TlsSession::explain(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_ZERO_RETURN: closed_ = true; return TlsResult::closed;
    case SSL_ERROR_WANT_READ:
      if (!input_ended_) return TlsResult::starved;
      if (shaken_ && !context_->settings().expect_close_notify) return TlsResult::closed;
      failure_.kind = TlsFailure::truncated;
      failure_.code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);
      return TlsResult::failed;
    default: break;
  }
  failure_.code = take_ssl_error();
  const int reason = ERR_GET_REASON(failure_.code);
  failure_.kind = TlsFailure::protocol;
  if (ERR_GET_LIB(failure_.code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    failure_.alert = reason - SSL_AD_REASON_OFFSET;
  }
  if (failure_.verify_code != X509_V_OK || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    failure_.kind = TlsFailure::certificate;
  }
  return TlsResult::failed;
}

// Told of each certificate of the peer's chain. The first that is refused is the one to tell of.
int TlsSession::verified(int accepted, X509_STORE_CTX* context) {
  if (accepted) return 1;
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& failure = static_cast<TlsSession*>(SSL_get_app_data(ssl))->failure_;
  try {
    failure.verify_code = X509_STORE_CTX_get_error(context);
    if (const auto* certificate = X509_STORE_CTX_get_current_cert(context)) {
      failure.subject = name_text(X509_get_subject_name(certificate));
      failure.names = names_of(certificate);
      failure.not_before = time_text(X509_get0_notBefore(certificate));
      failure.not_after = time_text(X509_get0_notAfter(certificate));
    }
  } catch (...) {  // no memory: refused without its particulars
  }
  return 0;
}

int TlsSession::new_session(SSL* ssl, SSL_SESSION* session) {
  auto& self = *static_cast<TlsSession*>(SSL_get_app_data(ssl));
  if (self.host_.empty() || !SSL_SESSION_is_resumable(session)) return 0;
  try {
    self.context_->keep_session(self.host_, OwnedSession(session));
  } catch (...) {  // no memory to remember it in; the owner has let it go
  }
  return 1;  // it is ours
}

tls::Info TlsSession::info() const {
  auto* ssl = ssl_.get();
  tls::Info info;
  info.version = SSL_get_version(ssl);
  if (const char* cipher = SSL_get_cipher_name(ssl)) info.cipher = cipher;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  if (size > 0) info.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) info.server_name = name;
  info.session_reused = SSL_session_reused(ssl) == 1;
  if (auto* certificate = SSL_get0_peer_certificate(ssl)) info.peer_certificate = certificate_of(certificate);
  return info;
}

}  // namespace eddy::detail

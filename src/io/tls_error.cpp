// SPDX-License-Identifier: MIT
#include "io/tls_error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace eddy {
namespace tls {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int code) const override {
    return detail::ssl_reason(static_cast<unsigned long>(static_cast<unsigned>(code)));
  }
};
const std::error_category& category() noexcept {
  static const Category only;
  return only;
}

}  // namespace

Error::Error(int code, std::string reason, const std::string& what)
    : OSError(std::error_code(code, category()), what), reason_(std::move(reason)) {}

CertificateError::CertificateError(int verify_code, std::string host, std::string subject, std::string reason,
                                   const std::string& what)
    : Error(static_cast<int>(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_CERTIFICATE_VERIFY_FAILED)), std::move(reason), what),
      host_(std::move(host)),
      subject_(std::move(subject)),
      verify_code_(verify_code) {}

}  // namespace tls

namespace detail {
namespace {

std::string certificate_reason(const TlsFailure& failure, const std::string& peer) {
  switch (failure.verify_code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      if (failure.names.empty()) return fmt::format("it names no host, and so not '{}'", peer);
      return fmt::format("it is for '{}', not for '{}'", fmt::join(failure.names, "', '"), peer);
    case X509_V_ERR_CERT_HAS_EXPIRED: return "it expired on " + failure.not_after;
    case X509_V_ERR_CERT_NOT_YET_VALID: return "it is not valid before " + failure.not_before;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "it is self-signed, and not among those that are trusted";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return "it is a root, and not among those that are trusted";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
      return "its issuer is unknown; an intermediate certificate may be missing";
    default: return X509_verify_cert_error_string(failure.verify_code);
  }
}

// OpenSSL 3.0 has no words for those of TLS 1.3.
const char* alert_text(int alert) {
  switch (alert) {
    case SSL_AD_MISSING_EXTENSION: return "missing extension";
    case SSL_AD_CERTIFICATE_REQUIRED: return "certificate required";
    case SSL_AD_NO_APPLICATION_PROTOCOL: return "no application protocol";
    default: return SSL_alert_desc_string_long(alert);
  }
}

std::string protocol_reason(const TlsFailure& failure) {
  if (failure.alert != 0) return fmt::format("{} (alert {})", alert_text(failure.alert), failure.alert);
  return ssl_reason(failure.code);
}

// What usually is behind it.
const char* hint(const TlsFailure& failure) {
  if (ERR_GET_LIB(failure.code) != ERR_LIB_SSL) return "";
  switch (ERR_GET_REASON(failure.code)) {
    case SSL_R_WRONG_VERSION_NUMBER: return "; does the peer speak TLS on this port?";
    case SSL_R_HTTP_REQUEST: return "; the peer speaks plain HTTP";
    case SSL_R_HTTPS_PROXY_REQUEST: return "; the peer took it for a proxy";
    default: return "";
  }
}

}  // namespace

std::exception_ptr make_tls_error(const TlsFailure& failure, const std::string& operation, const std::string& peer) {
  const int code = static_cast<int>(failure.code);
  if (failure.kind == TlsFailure::truncated) {
    const std::string reason = "the connection ended without close_notify";
    const auto what = fmt::format("{}: {}; what came may be cut off", operation, reason);
    return std::make_exception_ptr(tls::TruncatedError(code, reason, what));
  }
  if (failure.kind == TlsFailure::certificate && failure.verify_code == X509_V_OK) {
    const std::string reason = "the peer did not show a certificate";
    return std::make_exception_ptr(
        tls::CertificateError(0, peer, "", reason, fmt::format("{}: {}", operation, reason)));
  }
  if (failure.kind == TlsFailure::certificate) {
    const auto reason = certificate_reason(failure, peer);
    const auto what = fmt::format("{}: the certificate of '{}' is refused: {}", operation, failure.subject, reason);
    return std::make_exception_ptr(tls::CertificateError(failure.verify_code, peer, failure.subject, reason, what));
  }
  const auto reason = protocol_reason(failure);
  const auto what = failure.alert != 0 ? fmt::format("{}: the peer gave up: {}", operation, reason)
                                       : fmt::format("{}: {}{}", operation, reason, hint(failure));
  return std::make_exception_ptr(tls::Error(code, reason, what));
}

}  // namespace detail
}  // namespace eddy

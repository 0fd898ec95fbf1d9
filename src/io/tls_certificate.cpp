// SPDX-License-Identifier: MIT
// Certificates: made, read, shown.
#include <arpa/inet.h>
#include <eddy/exceptions.hpp>
#include <eddy/tls.hpp>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "io/tls_certificate.hpp"
#include "io/tls_openssl.hpp"

namespace eddy {
namespace detail {

OwnedBio bio_over(std::string_view bytes) {
  OwnedBio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  if (!bio) throw std::bad_alloc();
  return bio;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

unsigned long take_ssl_error() noexcept {
  const auto first = ERR_get_error();
  ERR_clear_error();
  return first;
}

std::string ssl_reason(unsigned long code) {
  if (const char* text = ERR_reason_error_string(code)) return text;
  return fmt::format("error {:#x}", code);
}

std::string name_text(const X509_NAME* name) {
  OwnedBio bio(BIO_new(BIO_s_mem()));
  if (!name || !bio) return {};
  X509_NAME_print_ex(bio.get(), name, 0, (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB));
  return text_of(bio.get());
}

namespace {

std::string hexadecimal(const unsigned char* bytes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int size = ASN1_STRING_length(bytes);
  if (size == 4) ::inet_ntop(AF_INET, ASN1_STRING_get0_data(bytes), text, sizeof text);
  if (size == 16) ::inet_ntop(AF_INET6, ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

}  // namespace

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  auto* found = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(found); ++i) {
    const auto* name = sk_GENERAL_NAME_value(found, i);
    if (name->type == GEN_DNS) {
      const auto* text = ASN1_STRING_get0_data(name->d.dNSName);
      names.emplace_back(reinterpret_cast<const char*>(text), static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      names.push_back(address_text(name->d.iPAddress));
    }
  }
  GENERAL_NAMES_free(found);
  return names;
}

tls::Certificate certificate_of(X509* x509) {
  tls::Certificate result;
  result.subject = name_text(X509_get_subject_name(x509));
  result.issuer = name_text(X509_get_issuer_name(x509));
  result.names = names_of(x509);
  result.not_before = seconds_of(X509_get0_notBefore(x509));
  result.not_after = seconds_of(X509_get0_notAfter(x509));
  const auto* serial = X509_get0_serialNumber(x509);
  result.serial = hexadecimal(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial)));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(x509, EVP_sha256(), digest, &size) == 1) result.sha256 = hexadecimal(digest, size);
  OwnedBio bio(BIO_new(BIO_s_mem()));
  if (bio && PEM_write_bio_X509(bio.get(), x509) == 1) result.pem = text_of(bio.get());
  return result;
}

std::vector<OwnedX509> read_certificates(std::string_view pem) {
  std::vector<OwnedX509> all;
  const auto bio = bio_over(pem);
  for (;;) {
    OwnedX509 next(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    all.push_back(std::move(next));
  }
  // The end of the text is an error like any other; one that is none of a missing start line is a damaged block.
  const auto error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    throw ValueError(fmt::format("the PEM text is damaged after {} certificate{}: {}", all.size(),
                                 all.size() == 1 ? "" : "s", ssl_reason(error)));
  }
  return all;
}

std::string read_pem_file(std::string_view operation, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) throw_os_error(errno, fmt::format("{}: open '{}'", operation, path));
  std::string text;
  char block[4096];
  for (std::size_t count; (count = std::fread(block, 1, sizeof block, file.get())) > 0;) text.append(block, count);
  if (std::ferror(file.get())) throw_os_error(errno, fmt::format("{}: read '{}'", operation, path));
  return text;
}

}  // namespace detail

namespace tls {
namespace {

using detail::OwnedBio;
using detail::OwnedKey;
using detail::OwnedX509;
using detail::text_of;

[[noreturn]] void throw_not_made() {
  throw RuntimeError("self_signed: OpenSSL cannot make it: " + detail::ssl_reason(detail::take_ssl_error()));
}

// "DNS:localhost,IP:127.0.0.1", as OpenSSL's configuration files have it.
std::string alternative_names(std::string_view names) {
  std::string text;
  while (!names.empty()) {
    const auto end = names.find(',');
    auto name = names.substr(0, end);
    names.remove_prefix(end == names.npos ? names.size() : end + 1);
    while (name.starts_with(' ')) name.remove_prefix(1);
    if (name.empty()) continue;
    for (char c : name) {
      const bool ordinary = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                            c == '-' || c == ':' || c == '*' || c == '_';
      if (!ordinary) throw ValueError(fmt::format("self_signed: '{}' is neither a host name nor an IP address", name));
    }
    unsigned char bytes[16];
    const std::string host(name);
    const bool is_address = ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
    if (!text.empty()) text += ',';
    text += (is_address ? "IP:" : "DNS:") + host;
  }
  if (text.empty()) throw ValueError("self_signed: there is no name to make a certificate for");
  return text;
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const detail::OpensslOwner<X509_EXTENSION, &X509_EXTENSION_free> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) throw_not_made();
}

}  // namespace

Identity load_identity(const std::string& certificate_file, const std::string& key_file, std::string password) {
  Identity identity;
  identity.certificate_pem = detail::read_pem_file("load_identity", certificate_file);
  identity.key_pem = key_file.empty() ? identity.certificate_pem : detail::read_pem_file("load_identity", key_file);
  identity.password = std::move(password);
  return identity;
}

Identity self_signed(std::string_view names, Duration valid_for) {
  const auto alternatives = alternative_names(names);
  const std::string first(names.substr(0, names.find(',')));
  const OwnedKey key(EVP_EC_gen("P-256"));
  const OwnedX509 certificate(X509_new());
  if (!key || !certificate) throw_not_made();
  X509_set_version(certificate.get(), X509_VERSION_3);
  unsigned char serial[8];
  if (RAND_bytes(serial, sizeof serial) != 1) throw_not_made();
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7f) | 0x40);  // positive, of full length
  auto* number = X509_get_serialNumber(certificate.get());
  if (ASN1_STRING_set(number, serial, sizeof serial) != 1) throw_not_made();
  // An hour back: clocks differ.
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), static_cast<long>(valid_for.count() / 1'000'000'000));
  auto* name = X509_get_subject_name(certificate.get());
  const auto common = first.substr(0, 64);  // the most a common name may have
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(certificate.get(), NID_subject_alt_name, alternatives);
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) throw_not_made();

  const OwnedBio certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_secmem()));
  if (!certificate_text || !key_text || PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    throw_not_made();
  }
  Identity identity;
  identity.certificate_pem = text_of(certificate_text.get());
  identity.key_pem = text_of(key_text.get());
  return identity;
}

Certificate parse_certificate(std::string_view pem) {
  const auto all = detail::read_certificates(pem);
  if (all.empty()) throw ValueError(fmt::format("parse_certificate: there is none in {} bytes of PEM", pem.size()));
  return detail::certificate_of(all.front().get());
}

}  // namespace tls
}  // namespace eddy

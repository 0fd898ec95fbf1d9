// SPDX-License-Identifier: MIT
// Owners for OpenSSL's objects, and its errors as text.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace eddy::detail {

template <auto free_it>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    free_it(object);
  }
};
template <class T, auto free_it>
using OpensslOwner = std::unique_ptr<T, OpensslFree<free_it>>;

using OwnedBio = OpensslOwner<BIO, &BIO_free>;
using OwnedKey = OpensslOwner<EVP_PKEY, &EVP_PKEY_free>;
using OwnedSession = OpensslOwner<SSL_SESSION, &SSL_SESSION_free>;
using OwnedSsl = OpensslOwner<SSL, &SSL_free>;
using OwnedSslContext = OpensslOwner<SSL_CTX, &SSL_CTX_free>;
using OwnedX509 = OpensslOwner<X509, &X509_free>;

/// A read-only BIO over `bytes`, which must outlive it.
OwnedBio bio_over(std::string_view bytes);
/// What was written to a memory BIO.
std::string text_of(BIO* bio);

/// Empties the thread's error queue, and gives the first entry's code: the cause.
unsigned long take_ssl_error() noexcept;
/// "wrong version number"; "error 0x…" for what OpenSSL has no words for.
std::string ssl_reason(unsigned long code);

/// "CN=localhost,O=Example".
std::string name_text(const X509_NAME* name);

}  // namespace eddy::detail

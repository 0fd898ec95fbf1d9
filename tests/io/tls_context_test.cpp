// SPDX-License-Identifier: MIT
// Identities and contexts: what is taken, what is refused and in what words.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/tls_support.hpp"

using namespace tls_test;
using eddy::ValueError;
namespace tls = eddy::tls;

namespace {

struct TlsFiles : testing::Test {
  TlsFiles() {
    char name[] = "/tmp/eddy-tls-XXXXXX";
    root = ::mkdtemp(name);
  }
  ~TlsFiles() override { std::filesystem::remove_all(root); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(root / name) << text;
    return (root / name).string();
  }
  std::filesystem::path root;
};

std::string encrypted(const std::string& key_pem, const std::string& password) {
  using namespace eddy::detail;
  const auto in = bio_over(key_pem);
  const OwnedKey key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  const OwnedBio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), password.data(), static_cast<int>(password.size()),
                                nullptr, nullptr);
  return eddy::detail::text_of(out.get());
}

std::string refusal_of(const tls::Identity& identity) { return TEXT_OF(ValueError, tls::server(identity)); }

TEST_F(TlsFiles, AnIdentityComesFromOneFileOrTwo) {
  const auto one = file("both.pem", localhost().key_pem + localhost().certificate_pem);
  EXPECT_NO_THROW(tls::server(tls::load_identity(one)));
  const auto certificate = file("certificate.pem", localhost().certificate_pem), key = file("key.pem", localhost().key_pem);
  EXPECT_NO_THROW(tls::server(tls::load_identity(certificate, key)));
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, tls::load_identity("/nowhere/a.pem")),
            "load_identity: open '/nowhere/a.pem': No such file or directory");
  EXPECT_EQ(TEXT_OF(eddy::IsADirectoryError, tls::load_identity(root.string())),
            "load_identity: read '" + root.string() + "': Is a directory");
}

TEST_F(TlsFiles, AuthoritiesComeFromAFile) {
  const auto ca = file("ca.pem", localhost().certificate_pem);
  SessionPair pair(tls::client({.ca_file = ca}));
  pair.shake_hands();
  EXPECT_EQ(pair.client.handshake(), TlsResult::done);
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, tls::client({.ca_file = "/nowhere/ca.pem"})),
            "tls::client: open '/nowhere/ca.pem': No such file or directory");
  const auto empty = file("empty.pem", "");
  EXPECT_EQ(TEXT_OF(ValueError, tls::client({.ca_file = empty})),
            "tls::client: ca_file: there is no certificate in 0 bytes of PEM");
}

TEST_F(TlsFiles, KeysAreLoggedForWireshark) {
  const auto log = (root / "keys").string();
  SessionPair pair(trusting({.key_log = log}), serving());
  pair.shake_hands();
  std::ifstream in(log);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(text.find("CLIENT_HANDSHAKE_TRAFFIC_SECRET "), text.npos);
  EXPECT_NE(text.find("\nCLIENT_TRAFFIC_SECRET_0 "), text.npos);
  EXPECT_TRUE(text.ends_with('\n'));
  struct stat status{};
  ASSERT_EQ(::stat(log.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, trusting({.key_log = "/nowhere/keys"})),
            "tls::client: open the key log '/nowhere/keys': No such file or directory");
}

TEST_F(TlsFiles, TheEnvironmentAsksForAKeyLogToo) {
  const auto log = (root / "environment").string();
  ::setenv("SSLKEYLOGFILE", log.c_str(), 1);
  const auto context = serving();
  ::unsetenv("SSLKEYLOGFILE");
  SessionPair pair(trusting(), context);
  pair.shake_hands();
  EXPECT_GT(std::filesystem::file_size(log), 100u);
}

TEST(TlsIdentities, EncryptedKeysNeedTheirPassword) {
  auto identity = localhost();
  identity.key_pem = encrypted(identity.key_pem, "secret");
  EXPECT_EQ(refusal_of(identity), "tls::server: the private key is encrypted; give its password");
  identity.password = "wrong";
  EXPECT_EQ(refusal_of(identity), "tls::server: the private key cannot be decrypted with the given password");
  identity.password = "secret";
  EXPECT_EQ(refusal_of(identity), "");
}

TEST(TlsIdentities, WhatIsNoneIsRefused) {
  auto identity = localhost();
  identity.certificate_pem = "no certificate";
  EXPECT_EQ(refusal_of(identity), "tls::server: certificate_pem: there is no certificate in 14 bytes of PEM");
  identity = localhost();
  identity.key_pem = "no key";
  EXPECT_EQ(refusal_of(identity), "tls::server: there is no private key in 6 bytes of PEM: unsupported");
  identity.key_pem = tls::self_signed("other").key_pem;
  EXPECT_EQ(refusal_of(identity), "tls::server: the private key does not belong to the certificate of 'CN=localhost'");
  identity = localhost();
  identity.certificate_pem.replace(100, 4, "!!!!");
  EXPECT_EQ(refusal_of(identity), "tls::server: certificate_pem: the PEM text is damaged after 0 certificates: bad base64 decode");
}

TEST(TlsIdentities, ACertificateIsRead) {
  const auto certificate = tls::parse_certificate(localhost().certificate_pem);
  EXPECT_EQ(certificate.subject, "CN=localhost");
  EXPECT_EQ(certificate.issuer, "CN=localhost");
  EXPECT_EQ(certificate.names, (std::vector<std::string>{"localhost", "127.0.0.1"}));
  EXPECT_EQ(certificate.not_after - certificate.not_before, 365 * 86400 + 3600);
  EXPECT_EQ(certificate.serial.size(), 16u);
  EXPECT_EQ(certificate.sha256.size(), 64u);
  EXPECT_EQ(certificate.pem, localhost().certificate_pem);
  EXPECT_EQ(TEXT_OF(ValueError, tls::parse_certificate("x")), "parse_certificate: there is none in 1 bytes of PEM");
}

TEST(TlsIdentities, NamesAreChecked) {
  EXPECT_EQ(TEXT_OF(ValueError, tls::self_signed("")), "self_signed: there is no name to make a certificate for");
  EXPECT_EQ(TEXT_OF(ValueError, tls::self_signed("a,b c")), "self_signed: 'b c' is neither a host name nor an IP address");
}

TEST(TlsContexts, WhatTheyCannotUseIsRefused) {
  EXPECT_EQ(TEXT_OF(ValueError, tls::client({.ca_pem = "junk"})), "tls::client: ca_pem: there is no certificate in 4 bytes of PEM");
  EXPECT_EQ(TEXT_OF(ValueError, tls::client({.alpn = "h2,,http/1.1"})),
            "tls::client: alpn: a protocol's name has 1 to 255 bytes, '' has 0");
  EXPECT_EQ(TEXT_OF(ValueError, tls::client({.ciphers = "NONESUCH"})), "tls::client: ciphers 'NONESUCH': no cipher match");
  EXPECT_EQ(TEXT_OF(ValueError, tls::client({.ciphersuites = "NONESUCH"})),
            "tls::client: ciphersuites 'NONESUCH': no cipher match");
  EXPECT_EQ(TEXT_OF(ValueError, tls::client({.minimum_version = tls::Version::tls1_3, .maximum_version = tls::Version::tls1_2})),
            "tls::client: minimum_version is above maximum_version");
  EXPECT_EQ(TEXT_OF(ValueError, serving({.tickets = 17})), "tls::server: tickets is 17; 0 to 16 can be sent");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, tls::Context().reload(localhost())),
            "reload of a tls::Context that is empty; tls::server() and tls::client() make contexts");
}

TEST(TlsContexts, ReloadChangesNewSessionsOnly) {
  auto server = serving();
  const auto fresh = tls::self_signed("localhost,127.0.0.1,new.example");
  const auto both = localhost().certificate_pem + fresh.certificate_pem;
  const auto client = tls::client({.ca_pem = both});
  SessionPair before(client, server);
  before.shake_hands();
  SessionPair meanwhile(client, server);
  server.reload(fresh);
  SessionPair after(client, server);
  after.shake_hands();
  meanwhile.shake_hands();
  EXPECT_EQ(before.client.info().peer_certificate->names.size(), 2u);
  EXPECT_EQ(meanwhile.client.info().peer_certificate->names.size(), 2u);
  EXPECT_EQ(after.client.info().peer_certificate->names.size(), 3u);
  auto broken = fresh;
  broken.key_pem = localhost().key_pem;
  EXPECT_THROW(server.reload(broken), ValueError);
  SessionPair still(client, server);
  still.shake_hands();
  EXPECT_EQ(still.client.info().peer_certificate->names.size(), 3u);
}

TEST(TlsContexts, TicketsOutliveAReload) {
  auto server = serving();
  const auto client = trusting();
  SessionPair before(client, server);
  before.shake_hands();
  carry(before.server, before.client);
  read_from(before.client);
  server.reload(localhost());
  SessionPair after(client, server);
  after.shake_hands();
  EXPECT_TRUE(after.client.info().session_reused);
}

TEST(TlsContexts, SessionsCanBeTurnedOffOnEitherSide) {
  for (const bool by_client : {true, false}) {
    const auto client = trusting({.cached_sessions = by_client ? 0u : 256u});
    const auto server = serving({.tickets = by_client ? 2 : 0});
    for (int i = 0; i < 2; ++i) {
      SessionPair pair(client, server);
      pair.shake_hands();
      carry(pair.server, pair.client);
      read_from(pair.client);
      EXPECT_FALSE(pair.client.info().session_reused);
    }
  }
}

TEST(TlsContexts, TheSessionsOfTheHostsUsedLastAreKept) {
  const auto client = trusting({.check_hostname = false, .cached_sessions = 2});
  const auto server = serving();
  const auto visit = [&](const std::string& host) {
    SessionPair pair(client, server, host);
    pair.shake_hands();
    carry(pair.server, pair.client);
    read_from(pair.client);
    return pair.client.info().session_reused;
  };
  EXPECT_FALSE(visit("a"));
  EXPECT_FALSE(visit("b"));
  EXPECT_TRUE(visit("a"));
  EXPECT_FALSE(visit("c"));  // b goes
  EXPECT_TRUE(visit("a"));
  EXPECT_FALSE(visit("b"));
}

TEST(TlsContexts, TheyKnowTheirSide) {
  EXPECT_TRUE(serving().is_server());
  EXPECT_FALSE(trusting().is_server());
  EXPECT_FALSE(tls::Context());
}

}  // namespace

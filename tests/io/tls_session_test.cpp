// SPDX-License-Identifier: MIT
// The pure part of TLS: two sessions that hand each other bytes, cut, damaged and cut off.
#include <openssl/ssl.h>

#include <vector>

#include "io/tls_support.hpp"

using namespace tls_test;
using eddy::tls::Version;

namespace {

const Read kStarved{TlsResult::starved, ""};

struct Versions : testing::TestWithParam<Version> {
  eddy::tls::Context client_context = trusting({.maximum_version = GetParam()});
  SessionPair pair{client_context};
};
INSTANTIATE_TEST_SUITE_P(Tls, Versions, testing::Values(Version::tls1_2, Version::tls1_3), [](const auto& test) {
  return test.param == Version::tls1_2 ? "Tls12" : "Tls13";
});

TEST_P(Versions, ShakesHandsAndSaysWhatWasAgreedOn) {
  pair.shake_hands();
  const auto info = pair.client.info();
  EXPECT_EQ(info.version, GetParam() == Version::tls1_2 ? "TLSv1.2" : "TLSv1.3");
  EXPECT_EQ(info.peer_certificate->subject, "CN=localhost");
  EXPECT_EQ(info.peer_certificate->names, (std::vector<std::string>{"localhost", "127.0.0.1"}));
  EXPECT_FALSE(info.session_reused);
  EXPECT_EQ(pair.server.info().server_name, "localhost");
  EXPECT_EQ(pair.server.info().cipher, info.cipher);
  EXPECT_FALSE(pair.server.info().peer_certificate);
}

TEST_P(Versions, SSL_1_ShakesHandsHoweverItsBytesAreCut) {
  for (const std::size_t piece : {1, 2, 3, 5, 17, 100, 1000}) {
    SCOPED_TRACE(piece);
    SessionPair cut(client_context);
    cut.shake_hands(piece);
    write_all(cut.client, "hello");
    while (carry(cut.client, cut.server, piece) > 0) {
    }
    EXPECT_EQ(read_all(cut.server), (Read{TlsResult::starved, "hello"}));
  }
}

TEST_P(Versions, SSL_1_ARecordCutAnywhereIsReadOnceItIsWhole) {
  pair.shake_hands();
  carry(pair.server, pair.client);
  read_from(pair.client);  // tickets
  write_all(pair.server, "some text");
  const auto size = pair.server.output().size();
  for (std::size_t cut = 1; cut <= size; ++cut) {
    SCOPED_TRACE(cut);
    if (pair.server.output().empty()) write_all(pair.server, "some text");
    carry(pair.server, pair.client, cut);
    if (cut < size) {
      EXPECT_EQ(read_from(pair.client), kStarved);
      carry(pair.server, pair.client);
    }
    EXPECT_EQ(read_from(pair.client), (Read{TlsResult::done, "some text"}));
  }
}

TEST_P(Versions, SSL_1_EachDamagedByteOfARecordIsFound) {
  SessionPair probe(client_context);
  probe.shake_hands();
  probe.server.output_sent(probe.server.output().size());
  write_all(probe.client, "some text");
  const auto size = probe.client.output().size();
  for (std::size_t at = 0; at < size; ++at) {
    SCOPED_TRACE(at);
    SessionPair damaged(client_context);
    damaged.shake_hands();
    write_all(damaged.client, "some text");
    const auto space = damaged.server.input_space();
    std::copy_n(damaged.client.output().data(), size, space.data());
    space[at] = static_cast<char>(space[at] ^ 0x41);
    damaged.server.input_added(size);
    const auto first = read_from(damaged.server);
    EXPECT_EQ(first.bytes, "");
    // A length that is too large waits for the rest; then the end of the input is too early.
    damaged.server.end_input();
    EXPECT_EQ(read_from(damaged.server).result, TlsResult::failed);
    EXPECT_NE(text_of(damaged.server), "");
  }
}

TEST_P(Versions, SSL_1_TLS_A_TruncationIsToldFromAnEnd) {
  pair.shake_hands();
  write_all(pair.client, "part");
  carry(pair.client, pair.server);
  pair.server.end_input();
  EXPECT_EQ(read_from(pair.server), (Read{TlsResult::done, "part"}));  // what came is read first
  EXPECT_EQ(read_from(pair.server).result, TlsResult::failed);
  EXPECT_EQ(pair.server.failure().kind, eddy::detail::TlsFailure::truncated);
  EXPECT_EQ(text_of(pair.server), "test: the connection ended without close_notify; what came may be cut off");

  SessionPair whole(client_context);
  whole.shake_hands();
  write_all(whole.client, "all");
  whole.client.shut_down();
  whole.client.shut_down();  // once
  carry(whole.client, whole.server);
  whole.server.end_input();
  EXPECT_EQ(read_all(whole.server), (Read{TlsResult::closed, "all"}));
  EXPECT_FALSE(whole.server.failed());
}

TEST_P(Versions, SSL_1_ARecordCutOffAtEachByteIsTruncated) {
  for (std::size_t kept = 0; kept < 30; kept += 7) {
    SCOPED_TRACE(kept);
    SessionPair cut(client_context);
    cut.shake_hands();
    write_all(cut.client, "a text that is longer than the cut");
    carry(cut.client, cut.server, kept);
    cut.server.end_input();
    EXPECT_EQ(read_from(cut.server), (Read{TlsResult::failed, ""}));
    EXPECT_EQ(cut.server.failure().kind, eddy::detail::TlsFailure::truncated);
  }
}

TEST_P(Versions, PeersThatNeverSendCloseNotifyCanBeTolerated) {
  SessionPair lenient(client_context, serving({.expect_close_notify = false}));
  lenient.shake_hands();
  write_all(lenient.client, "all");
  carry(lenient.client, lenient.server);
  lenient.server.end_input();
  EXPECT_EQ(read_all(lenient.server), (Read{TlsResult::closed, "all"}));
}

TEST_P(Versions, SSL_1_AfterItsOwnCloseNotifyASideStillReads) {
  pair.shake_hands();
  pair.client.shut_down();
  carry(pair.client, pair.server);
  EXPECT_EQ(read_from(pair.server).result, TlsResult::closed);
  write_all(pair.server, "answer");
  pair.server.shut_down();
  carry(pair.server, pair.client);
  EXPECT_EQ(read_all(pair.client), (Read{TlsResult::closed, "answer"}));
}

TEST_P(Versions, AHandshakeCutOffAnywhereFails) {
  SessionPair probe(client_context);
  probe.client.handshake();
  carry(probe.client, probe.server);
  probe.server.handshake();
  const auto size = probe.server.output().size();
  for (std::size_t kept = 0; kept < size; kept += 97) {
    SCOPED_TRACE(kept);
    SessionPair cut(client_context);
    cut.client.handshake();
    carry(cut.client, cut.server);
    cut.server.handshake();
    carry(cut.server, cut.client, kept);
    cut.client.end_input();
    EXPECT_EQ(cut.client.handshake(), TlsResult::failed);
  }
}

TEST_P(Versions, ResumesASessionAndVerifiesNothingAgain) {
  const auto server_context = serving();
  for (int i = 0; i < 3; ++i) {
    SessionPair again(client_context, server_context);
    again.shake_hands();
    carry(again.server, again.client);
    read_from(again.client);  // the tickets
    EXPECT_EQ(again.client.info().session_reused, i > 0) << i;
    EXPECT_EQ(again.server.info().session_reused, i > 0) << i;
  }
  // Another name is another session.
  SessionPair other(client_context, server_context, "127.0.0.1");
  other.shake_hands();
  EXPECT_FALSE(other.client.info().session_reused);
  // A server without the keys of the ticket begins anew.
  SessionPair elsewhere(client_context, serving());
  elsewhere.shake_hands();
  EXPECT_FALSE(elsewhere.client.info().session_reused);
  EXPECT_EQ(elsewhere.client.handshake(), TlsResult::done);
}

TEST_P(Versions, LargeWritesAreCutIntoRecordsAndOutputIsBounded) {
  pair.shake_hands();
  const std::string text(1'000'000, 't');
  std::string_view left = text;
  std::string read;
  while (!left.empty()) {
    while (!left.empty() && pair.client.has_room()) left.remove_prefix(pair.client.write(left).count);
    EXPECT_LE(pair.client.output().size(), eddy::detail::TlsSession::kMostOutput);
    while (carry(pair.client, pair.server) > 0) read += read_all(pair.server).bytes;
  }
  EXPECT_EQ(read, text);
}

// Renegotiation of TLS 1.2 is an old way to make a server work.
TEST(TlsSessions, RenegotiationIsRefused) {
  const auto client_context = trusting({.maximum_version = Version::tls1_2});
  SessionPair pair(client_context);
  pair.shake_hands();
  EXPECT_EQ(pair.client.info().version, "TLSv1.2");
  // A ClientHello in a record of its own, as a peer would send it, cannot be forged without the keys: what can be
  // shown here is the option; that it works is tested with openssl s_client.
  const auto ssl = client_context.core().make_ssl();
  EXPECT_TRUE(SSL_get_options(ssl.get()) & SSL_OP_NO_RENEGOTIATION);
}

TEST(TlsSessions, ProtocolsBelowTheMinimumAreRefused) {
  SessionPair pair(trusting({.maximum_version = Version::tls1_2}), serving({.minimum_version = Version::tls1_3}));
  pair.shake_hands();
  EXPECT_EQ(text_of(pair.client), "test: the peer gave up: protocol version (alert 70)");
  EXPECT_EQ(text_of(pair.server), "test: unsupported protocol");
}

TEST(TlsSessions, TheServersFirstProtocolThatTheClientKnowsIsUsed) {
  const auto server_context = serving({.alpn = "h2,http/1.1"});
  SessionPair both(trusting({.alpn = "http/1.1,h2"}), server_context);
  both.shake_hands();
  EXPECT_EQ(both.client.info().alpn, "h2");
  EXPECT_EQ(both.server.info().alpn, "h2");
  SessionPair none(trusting({.alpn = "spdy"}), server_context);
  none.shake_hands();
  EXPECT_EQ(none.client.info().alpn, "");
  EXPECT_EQ(none.client.handshake(), TlsResult::done);
}

TEST(TlsSessions, CiphersCanBeChosen) {
  SessionPair old(trusting({.maximum_version = Version::tls1_2, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}));
  old.shake_hands();
  EXPECT_EQ(old.server.info().cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
  SessionPair suite(trusting({.ciphersuites = "TLS_AES_128_GCM_SHA256"}));
  suite.shake_hands();
  EXPECT_EQ(suite.server.info().cipher, "TLS_AES_128_GCM_SHA256");
}

// --- certificates -------------------------------------------------------------------------------------

std::string refusal(const eddy::tls::Context& client, const eddy::tls::Identity& identity, const std::string& host) {
  SessionPair pair(client, eddy::tls::server(identity), host);
  pair.shake_hands();
  return text_of(pair.client, host);
}

TEST(TlsCertificates, OneThatIsNotTrustedIsRefused) {
  EXPECT_EQ(refusal(eddy::tls::client(), localhost(), "localhost"),
            "test: the certificate of 'CN=localhost' is refused: it is self-signed, and not among those that are trusted");
}

TEST(TlsCertificates, OneOfAnotherNameIsRefused) {
  EXPECT_EQ(refusal(trusting(), localhost(), "example.org"),
            "test: the certificate of 'CN=localhost' is refused: it is for 'localhost', '127.0.0.1', not for 'example.org'");
  EXPECT_EQ(refusal(trusting(), localhost(), "127.0.0.2"),
            "test: the certificate of 'CN=localhost' is refused: it is for 'localhost', '127.0.0.1', not for '127.0.0.2'");
  EXPECT_EQ(refusal(trusting(), localhost(), "::1"),
            "test: the certificate of 'CN=localhost' is refused: it is for 'localhost', '127.0.0.1', not for '::1'");
}

TEST(TlsCertificates, NamesAddressesAndWildcardsAreFound) {
  const auto identity = eddy::tls::self_signed("*.example.org, ::1, 10.0.0.7");
  const auto context = eddy::tls::client({.ca_pem = identity.certificate_pem});
  EXPECT_EQ(refusal(context, identity, "www.example.org"), "");
  EXPECT_EQ(refusal(context, identity, "www.example.org."), "");
  EXPECT_EQ(refusal(context, identity, "::1"), "");
  EXPECT_EQ(refusal(context, identity, "10.0.0.7"), "");
  EXPECT_NE(refusal(context, identity, "a.b.example.org"), "");
  EXPECT_NE(refusal(context, identity, "example.org"), "");
}

TEST(TlsCertificates, OneThatHasExpiredIsRefused) {
  const auto identity = eddy::tls::self_signed("localhost", -60s);
  const auto expired = eddy::tls::parse_certificate(identity.certificate_pem).not_after;
  char day[32];
  const auto seconds = static_cast<std::time_t>(expired);
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%SZ", std::gmtime(&seconds));
  EXPECT_EQ(refusal(eddy::tls::client({.ca_pem = identity.certificate_pem}), identity, "localhost"),
            "test: the certificate of 'CN=localhost' is refused: it expired on " + std::string(day));
}

TEST(TlsCertificates, VerificationAndTheNameCanBeLeftOut) {
  EXPECT_EQ(refusal(eddy::tls::client({.verify = false}), localhost(), "example.org"), "");
  EXPECT_EQ(refusal(trusting({.check_hostname = false}), localhost(), "example.org"), "");
}

TEST(TlsCertificates, TheErrorHasTheHostTheSubjectAndTheCode) {
  SessionPair pair(eddy::tls::client());
  pair.shake_hands();
  try {
    std::rethrow_exception(eddy::detail::make_tls_error(pair.client.failure(), "test", "localhost"));
  } catch (const eddy::tls::CertificateError& error) {
    EXPECT_EQ(error.host(), "localhost");
    EXPECT_EQ(error.subject(), "CN=localhost");
    EXPECT_EQ(error.verify_code(), 18);
    EXPECT_EQ(error.reason(), "it is self-signed, and not among those that are trusted");
    EXPECT_EQ(error.code().category().name(), std::string("tls"));
    EXPECT_EQ(error.code().message(), "certificate verify failed");
  }
  EXPECT_EQ(text_of(pair.server), "test: the peer gave up: unknown CA (alert 48)");
}

TEST(TlsCertificates, AServerAsksItsClientsForThem) {
  const auto identity = eddy::tls::self_signed("client-1");
  using eddy::tls::ClientCertificates;
  for (auto version : {Version::tls1_2, Version::tls1_3}) {
    const auto with = trusting({.identity = &identity, .maximum_version = version});
    const auto without = trusting({.maximum_version = version});
    const auto required = serving({.client_certificates = ClientCertificates::required, .ca_pem = identity.certificate_pem});
    const auto optional = serving({.client_certificates = ClientCertificates::optional, .ca_pem = identity.certificate_pem});
    const auto distrusting = serving({.client_certificates = ClientCertificates::required, .ca_pem = localhost().certificate_pem});
    SessionPair shown(with, required);
    shown.shake_hands();
    EXPECT_EQ(shown.server.info().peer_certificate->subject, "CN=client-1");
    SessionPair missing(without, required);
    missing.shake_hands();
    EXPECT_EQ(text_of(missing.server, "1.2.3.4:5"), "test: the peer did not show a certificate");
    SessionPair unasked(without, optional);
    unasked.shake_hands();
    EXPECT_EQ(unasked.server.handshake(), TlsResult::done);
    EXPECT_FALSE(unasked.server.info().peer_certificate);
    SessionPair refused(with, distrusting);
    refused.shake_hands();
    EXPECT_EQ(text_of(refused.server), "test: the certificate of 'CN=client-1' is refused: it is self-signed, and not among those that are trusted");
  }
}

TEST(TlsSessions, PlainBytesAreNoTls) {
  SessionPair http;
  const std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::copy(request.begin(), request.end(), http.server.input_space().data());
  http.server.input_added(request.size());
  EXPECT_EQ(http.server.handshake(), TlsResult::failed);
  EXPECT_EQ(text_of(http.server), "test: http request; the peer speaks plain HTTP");
  SessionPair answer;
  answer.client.handshake();
  const std::string_view banner = "220 mail.example.org ESMTP\r\n";
  std::copy(banner.begin(), banner.end(), answer.client.input_space().data());
  answer.client.input_added(banner.size());
  EXPECT_EQ(answer.client.handshake(), TlsResult::failed);
  EXPECT_EQ(text_of(answer.client), "test: wrong version number; does the peer speak TLS on this port?");
  EXPECT_EQ(answer.client.handshake(), TlsResult::failed);  // it stays so
  EXPECT_EQ(read_from(answer.client).result, TlsResult::failed);
  EXPECT_EQ(answer.client.write("x").result, TlsResult::failed);
}

TEST(TlsSessions, AHostNameThatCannotBeOneIsRefused) {
  const auto context = trusting();
  EXPECT_EQ(TEXT_OF(eddy::ValueError, TlsSession(context.shared_core(), std::string("a\0b", 3))),
            std::string("TLS: 'a\0b' cannot be a host name", 32).c_str());
}

}  // namespace

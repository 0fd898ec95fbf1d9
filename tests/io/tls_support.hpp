// SPDX-License-Identifier: MIT
// Identities and sessions for the tests of TLS.
#pragma once

#include <eddy/tls.hpp>

#include <algorithm>
#include <string>

#include "io/tls_error.hpp"
#include "io/tls_session.hpp"
#include "support.hpp"

namespace tls_test {

using eddy::detail::TlsResult;
using eddy::detail::TlsSession;

/// One for all tests: keys take time.
inline const eddy::tls::Identity& localhost() {
  static const auto identity = eddy::tls::self_signed("localhost,127.0.0.1");
  return identity;
}
inline eddy::tls::Context serving(eddy::tls::ServerOptions options = {}) { return eddy::tls::server(localhost(), options); }
inline eddy::tls::Context trusting(eddy::tls::ClientOptions options = {}) {
  options.ca_pem = localhost().certificate_pem;
  return eddy::tls::client(options);
}

/// Gives `to` what `from` has to say, at most `piece` bytes.
inline std::size_t carry(TlsSession& from, TlsSession& to, std::size_t piece = static_cast<std::size_t>(-1)) {
  const auto space = to.input_space();
  const auto count = std::min({from.output().size(), piece, space.size()});
  std::copy_n(from.output().data(), count, space.data());
  to.input_added(count);
  from.output_sent(count);
  return count;
}

/// Two sessions that talk to each other without a wire.
struct SessionPair {
  explicit SessionPair(const eddy::tls::Context& client_context = trusting(), const eddy::tls::Context& server_context = serving(),
                       std::string host = "localhost")
      : client(client_context.shared_core(), std::move(host)), server(server_context.shared_core(), "") {}

  /// Until neither has anything to say. Handshakes in pieces of `piece` bytes.
  void shake_hands(std::size_t piece = static_cast<std::size_t>(-1)) {
    for (;;) {
      const auto one = client.handshake(), other = server.handshake();
      if (one == TlsResult::done && other == TlsResult::done) return;
      if (one == TlsResult::failed || other == TlsResult::failed) {
        carry(client, server);
        carry(server, client);
        client.handshake();
        server.handshake();
        return;
      }
      if (carry(client, server, piece) + carry(server, client, piece) == 0) return;
    }
  }

  TlsSession client, server;
};

struct Read {
  TlsResult result;
  std::string bytes;
  friend bool operator==(const Read&, const Read&) = default;
};
inline void PrintTo(const Read& read, std::ostream* out) { *out << static_cast<int>(read.result) << " '" << read.bytes << "'"; }

inline Read read_from(TlsSession& session) {
  std::string space(64 * 1024, '\0');
  const auto [result, count] = session.read(space);
  space.resize(count);
  return {result, space};
}
/// Everything there is, and how it ended.
inline Read read_all(TlsSession& session) {
  Read all{TlsResult::done, {}};
  while (all.result == TlsResult::done) {
    const auto next = read_from(session);
    all.result = next.result;
    all.bytes += next.bytes;
  }
  return all;
}
inline void write_all(TlsSession& session, std::string_view text) {
  while (!text.empty()) {
    const auto [result, count] = session.write(text);
    ASSERT_EQ(result, TlsResult::done);
    text.remove_prefix(count);
  }
}

/// Of a session that failed; else "".
inline std::string text_of(const TlsSession& session, const std::string& peer = "localhost") {
  if (!session.failed()) return "";
  return TEXT_OF(eddy::tls::Error, std::rethrow_exception(eddy::detail::make_tls_error(session.failure(), "test", peer)));
}

}  // namespace tls_test

// SPDX-License-Identifier: MIT
// Two TLS sessions and somebody between them. The first byte chooses the versions and whether the handshake is done
// beforehand; then each byte is a command:
//     00..3f  carry 1 + 4n bytes to the server      40..7f  to the client
//     80..9f  write n bytes as the client           a0..bf  as the server
//     c0..cf  damage the n-th byte under way        d0..df  put the next n bytes of the input in its place
//     e0..    read, shake hands; shut down, end the input
// Whatever comes, each side reads a prefix of what the other wrote, and nothing is read after a failure.
#include <eddy/tls.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "invariant.hpp"
#include "io/tls_error.hpp"
#include "io/tls_session.hpp"

namespace {

using eddy::detail::TlsResult;
using eddy::detail::TlsSession;

struct Contexts {
  eddy::tls::Identity identity = eddy::tls::self_signed("localhost");
  eddy::tls::Context server = eddy::tls::server(identity);
  eddy::tls::Context clients[2] = {
      eddy::tls::client({.ca_pem = identity.certificate_pem, .maximum_version = eddy::tls::Version::tls1_2}),
      eddy::tls::client({.ca_pem = identity.certificate_pem})};
};

struct Side {
  explicit Side(const eddy::tls::Context& context, const char* host) : session(context.shared_core(), host) {}

  void shake_hands() {
    open = open || (!over && session.handshake() == TlsResult::done);
    note_failure();
  }
  void write(std::size_t count) {
    if (!open || over || shut || !session.has_room()) return;
    const std::string text(count, static_cast<char>('a' + written.size() % 26));
    const auto transfer = session.write(text);
    written.append(text, 0, transfer.count);
    note_failure();
  }
  void read() {
    if (!open) return;
    char space[300];
    const bool was_over = over;
    const auto [result, count] = session.read(space);
    require(!was_over || count == 0, "nothing is read after a failure");
    heard.append(space, count);
    closed = closed || result == TlsResult::closed;
    note_failure();
  }
  void shut_down() {
    if (!open || over) return;
    session.shut_down();
    shut = true;
  }
  void note_failure() {
    over = session.failed();
    // Each failure has its words.
    if (!over) return;
    try {
      std::rethrow_exception(eddy::detail::make_tls_error(session.failure(), "fuzz", "peer"));
    } catch (const eddy::tls::Error& error) {
      require(!error.reason().empty(), "an error has a reason");
    }
  }

  TlsSession session;
  std::string written, heard;
  bool open = false, over = false, shut = false, closed = false;
};

std::size_t carry(Side& from, Side& to, std::size_t most) {
  const auto bytes = from.session.output().substr(0, most);
  const auto space = to.session.input_space();
  const auto count = std::min(bytes.size(), space.size());
  std::copy_n(bytes.data(), count, space.data());
  to.session.input_added(count);
  from.session.output_sent(count);
  return count;
}

void put(Side& to, std::string_view bytes) {
  const auto space = to.session.input_space();
  const auto count = std::min(bytes.size(), space.size());
  std::copy_n(bytes.data(), count, space.data());
  to.session.input_added(count);
}

void finish_handshake(Side& client, Side& server) {
  for (int i = 0; i < 10; ++i) {
    client.shake_hands();
    carry(client, server, 100'000);
    server.shake_hands();
    carry(server, client, 100'000);
  }
  require(client.open && server.open, "an undisturbed handshake succeeds");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Contexts contexts;
  if (size == 0 || size > 4096) return 0;
  Side client(contexts.clients[data[0] & 1], "localhost"), server(contexts.server, "");
  if (data[0] & 2) finish_handshake(client, server);
  bool touched = false;
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned command = data[i];
    if (command < 0x40) carry(client, server, 1 + 4 * command);
    else if (command < 0x80) carry(server, client, 1 + 4 * (command - 0x40));
    else if (command < 0xa0) client.write(1 + (command - 0x80) * 8);
    else if (command < 0xc0) server.write(1 + (command - 0xa0) * 8);
    else if (command < 0xe0) {
      touched = true;
      auto& to = command & 1 ? client : server;
      auto& from = command & 1 ? server : client;
      const std::size_t count = command & 0xf;
      if (command < 0xd0) {
        std::string piece(from.session.output().substr(0, count + 1));
        from.session.output_sent(piece.size());
        if (!piece.empty()) piece.back() = static_cast<char>(piece.back() ^ 0x20);
        put(to, piece);
      } else {
        const auto given = std::min(count, size - i - 1);
        put(to, {reinterpret_cast<const char*>(data) + i + 1, given});
        i += given;
      }
    } else {
      auto& side = command & 1 ? client : server;
      switch ((command >> 1) & 3) {
        case 0: side.shake_hands(); break;
        case 1: side.read(); break;
        case 2: side.shut_down(); break;
        default: side.session.end_input(); touched = true; break;
      }
    }
    require(client.session.output().size() <= 100'000 && server.session.output().size() <= 100'000, "output is bounded");
  }
  for (int i = 0; i < 300; ++i) {
    client.shake_hands(), server.shake_hands();
    const auto moved = carry(client, server, 100'000) + carry(server, client, 100'000);
    client.read(), server.read();
    if (moved == 0 && !client.session.has_input() && !server.session.has_input()) break;
  }
  require(std::string_view(client.written).starts_with(server.heard), "the server reads what the client wrote");
  require(std::string_view(server.written).starts_with(client.heard), "the client reads what the server wrote");
  require(!server.closed || server.heard == client.written, "an end comes after everything");
  require(!client.closed || client.heard == server.written, "an end comes after everything");
  if (!touched && client.open && server.open) {
    require(!client.over && !server.over, "what nobody touched does not fail");
    require(server.heard == client.written && client.heard == server.written, "what nobody touched arrives");
  }
  return 0;
}

// SPDX-License-Identifier: MIT
// Streams over TLS: in memory with virtual time, and over TCP.
#include <eddy/eddy.hpp>

#include <thread>

#include "io/stream_core.hpp"
#include "io/tls_support.hpp"
#include "numbered_file.hpp"

using namespace tls_test;
using eddy::open_connection;
using eddy::start_server;
using eddy::StreamReader;
using eddy::Streams;
using eddy::StreamWriter;
using eddy::testing::error_of;
using eddy::testing::now;
using eddy::testing::settle;
using eddy::testing::stream_pair;
using eddy::testing::StreamPair;
namespace tls = eddy::tls;

namespace {

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    auto data = co_await reader.read_view();
    if (data.empty()) break;
    writer.write(data);
    co_await writer.drain();
  }
}

struct Contexts {
  tls::Context client = trusting(), server = serving();
};

// Both ends of a pair go over to TLS.
Coro<> secure(StreamPair& pair, Contexts contexts) {
  co_await eddy::gather(pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost"}),
                        pair.far.writer.start_tls(contexts.server));
}
Coro<> secure(StreamPair& pair) {
  Contexts contexts;
  co_await secure(pair, std::move(contexts));
}

Coro<std::string> everything(StreamReader reader) { co_return co_await reader.read(); }

std::string at(int port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

// --- what every stream does ---------------------------------------------------------------------------

ASYNC_TEST(TlsStreams, StartTls_LP_8_ST_7_CarriesOnInMemory) {
  for (const std::size_t piece : {1, 7, 1000, 100000}) {
    auto pair = stream_pair({.piece = piece});
    pair.near.writer.write("STARTTLS\r\n");
    auto line = co_await pair.far.reader.readline();
    EXPECT_EQ(line, "STARTTLS\r\n");
    co_await secure(pair);
    pair.near.writer.write("hello\nworld");
    pair.near.writer.write_eof();
    auto first = co_await pair.far.reader.readline();
    EXPECT_EQ(first, "hello\n");
    auto second = co_await pair.far.reader.read();
    EXPECT_EQ(second, "world");
    // The other direction is open still.
    pair.far.writer.write("answer");
    auto answer = co_await pair.near.reader.readexactly(6);
    EXPECT_EQ(answer, "answer");
    pair.far.writer.close();
    auto end = co_await pair.near.reader.read();
    EXPECT_EQ(end, "");
    EXPECT_TRUE(pair.near.reader.at_eof());
  }
}

BACKEND_TEST(TlsStreams, STR_08_EchoOverTlsWithOnesOwnAuthority) {
  Contexts contexts;
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
  auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client, .server_hostname = "localhost"});
  auto copy = eddy::create_task([](StreamWriter writer, std::string text) -> Coro<> {
    for (int i = 0; i < 10; ++i) {
      writer.write(text);
      co_await writer.drain();
    }
    writer.write_eof();
  }(streams.writer, std::string(300'000, 'z')));
  auto all = co_await streams.reader.read();
  EXPECT_EQ(all, std::string(3'000'000, 'z'));
  co_await copy;
  const auto info = tls::info(streams.writer);
  EXPECT_EQ(info.version, "TLSv1.3");
  EXPECT_EQ(info.peer_certificate->subject, "CN=localhost");
  streams.writer.close();
  co_await streams.writer.wait_closed();
  server.close();
  co_await server.wait_closed();
}

BACKEND_TEST(TlsStreams, AFileIsEncryptedLikeWhatIsWritten) {
  Contexts contexts;
  const NumberedFile file(2'000'000);
  auto send = [&](StreamReader, StreamWriter writer) -> Coro<> {
    writer.write("head ");
    auto refused = co_await error_of<eddy::SendfileNotAvailableError>(writer.sendfile(file.fd, {.fallback = false}));
    EXPECT_TRUE(std::string(refused.what()).starts_with("sendfile(2) cannot serve 127.0.0.1:")) << refused.what();
    EXPECT_EQ(co_await writer.sendfile(file.fd, {.offset = 7}), file.text.size() - 7);
    writer.close();
  };
  auto server = co_await start_server(send, "127.0.0.1", 0, {.tls = &contexts.server});
  auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client, .server_hostname = "localhost"});
  auto all = co_await streams.reader.read();
  EXPECT_TRUE(all == "head " + file.text.substr(7));
}

BACKEND_TEST(TlsStreams, TheContextMayGoAfterTheCall) {
  Coro<eddy::Server> starting = [] {
    const auto context = serving();
    return start_server(echo, "127.0.0.1", 0, {.tls = &context});
  }();
  auto server = co_await std::move(starting);
  Coro<Streams> connecting = [&] {
    const auto context = trusting();
    const std::string host = "localhost";
    return open_connection("127.0.0.1", server.port(), {.tls = &context, .server_hostname = host});
  }();
  auto streams = co_await std::move(connecting);
  streams.writer.write("x");
  auto x = co_await streams.reader.readexactly(1);
  EXPECT_EQ(x, "x");
  server.close();
}

BACKEND_TEST(TlsStreams, ManyConnectionsAtOnceAndResumption) {
  Contexts contexts;
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
  int reused = 0;
  auto visit = [&](std::string text) -> Coro<> {
    auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
    streams.writer.write(text);
    auto back = co_await streams.reader.readexactly(text.size());
    EXPECT_EQ(back, text);
    reused += tls::info(streams.writer).session_reused;
    streams.writer.close();
    co_await streams.writer.wait_closed();
  };
  co_await visit("first");
  co_await visit("again");
  EXPECT_EQ(reused, 1);
  std::vector<Coro<>> all;
  for (int i = 0; i < 50; ++i) all.push_back(visit(std::to_string(i)));
  co_await eddy::gather(std::move(all));
  server.close();
  co_await server.wait_closed();
  EXPECT_EQ(server.connections(), 0u);
}

// --- refusals -----------------------------------------------------------------------------------------

BACKEND_TEST(TlsHandshakes, AnUntrustedServerIsRefusedAndTheServerGoesOn) {
  Contexts contexts;
  const auto distrusting = tls::client();
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
  auto error = co_await error_of<tls::CertificateError>(
      open_connection("127.0.0.1", server.port(), {.tls = &distrusting, .server_hostname = "localhost"}));
  EXPECT_EQ(error.what(), "TLS handshake with localhost (" + at(server.port()) +
                              "): the certificate of 'CN=localhost' is refused: it is self-signed, and not among those that are trusted");
  EXPECT_EQ(error.host(), "localhost");
  auto other = co_await error_of<tls::CertificateError>(
      open_connection("127.0.0.1", server.port(), {.tls = &contexts.client, .server_hostname = "example.org"}));
  EXPECT_EQ(other.what(), "TLS handshake with example.org (" + at(server.port()) +
                              "): the certificate of 'CN=localhost' is refused: it is for 'localhost', '127.0.0.1', not for 'example.org'");
  auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
  streams.writer.close();
  server.close();
  co_await server.wait_closed();
}

BACKEND_TEST(TlsHandshakes, PlainPeersAreToldApart) {
  Contexts contexts;
  auto plain_handler = [](StreamReader, StreamWriter writer) -> Coro<> {
    writer.write("220 plain\r\n");
    co_return;
  };
  auto plain = co_await start_server(plain_handler, "127.0.0.1", 0);
  auto error = co_await error_of<tls::Error>(open_connection("127.0.0.1", plain.port(), {.tls = &contexts.client}));
  EXPECT_EQ(error.what(), "TLS handshake with " + at(plain.port()) + ": wrong version number; does the peer speak TLS on this port?");
  EXPECT_EQ(error.reason(), "wrong version number");
  plain.close();
  auto closing_handler = [](StreamReader reader, StreamWriter) -> Coro<> { co_await reader.read(10'000); };
  auto closing = co_await start_server(closing_handler, "127.0.0.1", 0);
  auto gone = co_await error_of<eddy::ConnectionResetError>(open_connection("127.0.0.1", closing.port(), {.tls = &contexts.client}));
  EXPECT_EQ(gone.what(), "TLS handshake with " + at(closing.port()) + ": the peer closed the connection");
  closing.close();

  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
  auto streams = co_await open_connection("127.0.0.1", server.port());
  streams.writer.write(std::string("\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9));  // a ServerHello, to a server
  auto alert = co_await streams.reader.read();
  EXPECT_EQ(alert, std::string("\x15\x03\x03\x00\x02\x02\x0a", 7));  // "unexpected message"
  server.close();
  co_await server.wait_closed();
}

// What strangers send is no news, except for debuggers.
BACKEND_TEST(TlsHandshakes, AFailureIsReportedInDebugModeOnly) {
  Contexts contexts;
  auto& loop = eddy::get_running_loop();
  std::vector<std::string> reports;
  loop.set_exception_handler([&](const eddy::ExceptionContext& context) {
    try {
      std::rethrow_exception(context.exception);
    } catch (const std::exception& e) {
      reports.push_back(context.message + "; " + e.what());
    }
  });
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
  std::string from;
  for (const bool debug : {false, true}) {
    loop.set_debug(debug);
    auto streams = co_await open_connection("127.0.0.1", server.port());
    from = streams.writer.local_address().str();
    streams.writer.write("GET / HTTP/1.0\r\n\r\n");
    co_await streams.reader.read();
  }
  loop.set_debug(false);
  server.close();
  co_await server.wait_closed();
  EXPECT_EQ(reports, (std::vector<std::string>{"a TLS handshake failed; TLS handshake with " + from +
                                               ": http request; the peer speaks plain HTTP"}));
}

BACKEND_TEST(TlsHandshakes, AClientWithoutItsCertificateLearnsWhy) {
  const auto identity = tls::self_signed("client-1");
  const auto with = trusting({.identity = &identity});
  const auto without = trusting();
  const auto serving_known = serving({.client_certificates = tls::ClientCertificates::required, .ca_pem = identity.certificate_pem});
  auto greet = [](StreamReader, StreamWriter writer) -> Coro<> {
    writer.write("hello, " + tls::info(writer).peer_certificate->subject);
    co_return;
  };
  auto server = co_await start_server(greet, "127.0.0.1", 0, {.tls = &serving_known});
  auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &with});
  auto hello = co_await streams.reader.read();
  EXPECT_EQ(hello, "hello, CN=client-1");
  // In TLS 1.3 the client is done before the server has looked at its certificate.
  auto refused = co_await open_connection("127.0.0.1", server.port(), {.tls = &without});
  auto error = co_await error_of<tls::Error>(refused.reader.read(10));
  EXPECT_EQ(error.what(), "read from " + at(server.port()) + ": the peer gave up: certificate required (alert 116)");
  server.close();
  co_await server.wait_closed();
}

BACKEND_TEST(TlsHandshakes, ContextsAreForOneSide) {
  Contexts contexts;
  auto wrong = co_await error_of<eddy::ValueError>(start_server(echo, "127.0.0.1", 0, {.tls = &contexts.client}));
  EXPECT_STREQ(wrong.what(), "start_server: the TLS context is one for clients; make one with tls::server(identity)");
  auto other = co_await error_of<eddy::ValueError>(open_connection("127.0.0.1", 1, {.tls = &contexts.server}));
  EXPECT_STREQ(other.what(), "open_connection: the TLS context is one for servers; make one with tls::client()");
  const tls::Context empty;
  auto none = co_await error_of<eddy::ValueError>(open_connection("127.0.0.1", 1, {.tls = &empty}));
  EXPECT_STREQ(none.what(), "open_connection: the TLS context is empty; make one with tls::client()");
}

BACKEND_TEST(TlsHandshakes, ReloadShowsNewConnectionsTheNewCertificate) {
  Contexts contexts;
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
  const auto fresh = tls::self_signed("localhost,127.0.0.1");
  const auto trusting_fresh = tls::client({.ca_pem = fresh.certificate_pem});
  auto before = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
  contexts.server.reload(fresh);
  auto after = co_await open_connection("127.0.0.1", server.port(), {.tls = &trusting_fresh});
  for (auto* streams : {&before, &after}) {
    streams->writer.write("x");
    auto x = co_await streams->reader.readexactly(1);
    EXPECT_EQ(x, "x");
  }
  server.close();
}

// --- time ---------------------------------------------------------------------------------------------

ASYNC_TEST(TlsHandshakes, LP_8_ASilentPeerIsGivenUp) {
  Contexts contexts;
  auto pair = stream_pair();
  const auto began = now();
  auto error = co_await error_of<eddy::TimeoutError>(
      pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost", .handshake_timeout = 7s}));
  EXPECT_STREQ(error.what(), "TLS handshake with localhost (a stream in memory): not done after 7s");
  EXPECT_EQ(now() - began, 7s);
  EXPECT_TRUE(pair.near.writer.is_closing());
}

BACKEND_TEST(TlsHandshakes, SilentClientsHoldUpNobodyAndAreLetGo) {
  Contexts contexts;
  auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server, .tls_handshake_timeout = 100ms});
  std::vector<Streams> silent;
  for (int i = 0; i < 20; ++i) {
    auto streams = co_await open_connection("127.0.0.1", server.port());
    silent.push_back(std::move(streams));
  }
  silent.front().writer.write(std::string("\x16\x03\x01\x02\x00\x01", 6));  // the beginning of a ClientHello
  auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
  streams.writer.write("x");
  auto x = co_await streams.reader.readexactly(1);
  EXPECT_EQ(x, "x");
  for (auto& one : silent) {
    auto nothing = co_await one.reader.read();
    EXPECT_EQ(nothing, "");
  }
  streams.writer.write("y");
  auto y = co_await streams.reader.readexactly(1);
  EXPECT_EQ(y, "y");
  EXPECT_EQ(server.connections(), 1u);
  server.close();
}

ASYNC_TEST(TlsEnds, TLS_A_LP_8_CloseWaitsForAPeerThatTakesNothingForTheShutdownTimeout) {
  Contexts contexts;
  auto pair = stream_pair({.room = 10'000});
  co_await secure(pair, std::move(contexts));
  pair.near.writer.write(std::string(300'000, 'x'));
  const auto began = now();
  pair.near.writer.close();
  auto error = co_await error_of<eddy::TimeoutError>(pair.near.writer.wait_closed());
  EXPECT_STREQ(error.what(), "close localhost (a stream in memory): the peer took nothing for 30s");
  EXPECT_EQ(now() - began, 30s);
}

ASYNC_TEST(TlsEnds, ASlowPeerIsNotCutOff) {
  Contexts contexts;
  auto pair = stream_pair({.room = 10'000});
  co_await secure(pair, std::move(contexts));
  pair.near.writer.write(std::string(300'000, 'x'));
  pair.near.writer.close();
  const auto began = now();
  std::size_t count = 0;
  for (;;) {
    auto part = co_await pair.far.reader.read(20'000);
    if (part.empty()) break;
    count += part.size();
    co_await eddy::sleep(20s);
  }
  EXPECT_EQ(count, 300'000u);
  EXPECT_GT(now() - began, 100s);
  co_await pair.near.writer.wait_closed();
}

// --- ends ---------------------------------------------------------------------------------------------

ASYNC_TEST(TlsEnds, TLS_A_AnAbortIsATruncation) {
  auto pair = stream_pair();
  co_await secure(pair);
  pair.near.writer.write("part");
  co_await settle();
  pair.near.writer.abort();
  auto part = co_await pair.far.reader.readexactly(4);
  EXPECT_EQ(part, "part");
  auto error = co_await error_of<tls::TruncatedError>(pair.far.reader.read());
  EXPECT_STREQ(error.what(), "read from a stream in memory: the connection ended without close_notify; what came may be cut off");
  auto again = co_await error_of<tls::TruncatedError>(pair.far.reader.read(1));
  EXPECT_EQ(again.reason(), "the connection ended without close_notify");
}

ASYNC_TEST(TlsEnds, TLS_A_ATruncationCanBeAnEnd) {
  Contexts contexts;
  contexts.server = serving({.expect_close_notify = false});
  auto pair = stream_pair();
  co_await secure(pair, std::move(contexts));
  pair.near.writer.write("all");
  co_await settle();
  pair.near.writer.abort();
  auto all = co_await pair.far.reader.read();
  EXPECT_EQ(all, "all");
}

ASYNC_TEST(TlsEnds, APeerThatHasGoneNeedsNoGoodbye) {
  auto pair = stream_pair();
  co_await secure(pair);
  pair.far.writer.abort();
  co_await settle();
  pair.near.writer.close();
  co_await pair.near.writer.wait_closed();
}

ASYNC_TEST(TlsEnds, CloseSendsWhatIsQueuedAndTheEnd) {
  auto pair = stream_pair({.room = 5'000});
  co_await secure(pair);
  pair.near.writer.write(std::string(200'000, 'q'));
  EXPECT_GT(pair.near.writer.write_buffer_size(), 100'000u);
  pair.near.writer.close();
  auto all = co_await everything(pair.far.reader);
  EXPECT_EQ(all.size(), 200'000u);
  co_await pair.near.writer.wait_closed();
}

// A TLS 1.3 client has unread tickets; a reset for them would take what the kernel has not sent yet.
BACKEND_TEST(TlsEnds, NothingIsLostWhenAClientWritesClosesAndGoes) {
  Contexts contexts;
  std::size_t received = 0;
  eddy::Event over;
  auto slow = [&](StreamReader reader, StreamWriter) -> Coro<> {
    for (;;) {
      auto part = co_await reader.read(50'000);
      if (part.empty()) break;
      received += part.size();
      co_await eddy::sleep(0s);
    }
    over.set();
  };
  auto server = co_await start_server(slow, "127.0.0.1", 0, {.tls = &contexts.server});
  {
    auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
    streams.writer.write(std::string(4'000'000, 'w'));
    streams.writer.close();
    co_await streams.writer.wait_closed();
  }
  co_await over.wait();
  EXPECT_EQ(received, 4'000'000u);
  server.close();
  co_await server.wait_closed();
}

ASYNC_TEST(TlsEnds, BackPressureHoldsAWriterBack) {
  auto pair = stream_pair({.room = 20'000});
  co_await secure(pair);
  std::size_t written = 0;
  auto pump = [&]() -> Coro<> {
    for (int i = 0; i < 100; ++i) {
      pair.near.writer.write(std::string(50'000, 'p'));
      written += 50'000;
      co_await pair.near.writer.drain();
    }
    pair.near.writer.write_eof();
  };
  auto task = eddy::create_task(pump());
  co_await settle();
  EXPECT_FALSE(task.done());
  EXPECT_LE(written, 250'000u);  // the pipe's room, a block, the high-water mark, one write
  auto all = co_await everything(pair.far.reader);
  EXPECT_EQ(all.size(), 5'000'000u);
  co_await task;
}

ASYNC_TEST(TlsEnds, ACancelledReadLosesNoByte) {
  auto pair = stream_pair({.piece = 3});
  co_await secure(pair);
  auto read = [&]() -> Coro<std::string> { co_return co_await pair.far.reader.readexactly(10); };
  auto task = eddy::create_task(read());
  pair.near.writer.write("01234");
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  pair.near.writer.write("56789");
  auto all = co_await pair.far.reader.readexactly(10);
  EXPECT_EQ(all, "0123456789");
}

// --- STARTTLS -----------------------------------------------------------------------------------------

// CVE-2011-0411: what somebody in between puts in front of the handshake must not count as said under TLS.
ASYNC_TEST(StartTls, PlainBytesBeforeTheHandshakeAreRefused) {
  Contexts contexts;
  auto pair = stream_pair();
  pair.near.writer.write("STARTTLS\r\nRCPT TO: evil\r\n");
  auto line = co_await pair.far.reader.readline();
  EXPECT_EQ(line, "STARTTLS\r\n");
  auto error = co_await error_of<tls::Error>(pair.far.writer.start_tls(contexts.server));
  EXPECT_STREQ(error.what(),
               "start TLS with a stream in memory: 15 bytes came unencrypted before the handshake; they may not be the peer's");
  EXPECT_TRUE(pair.far.writer.is_closing());
}

ASYNC_TEST(StartTls, PlainBytesThatNobodyHasReadYetAreNoHandshake) {
  Contexts contexts;
  auto pair = stream_pair({.piece = 10});
  pair.near.writer.write("STARTTLS\r\nRCPT TO: evil\r\n");
  auto line = co_await pair.far.reader.readline();
  EXPECT_EQ(line, "STARTTLS\r\n");
  auto error = co_await error_of<tls::Error>(pair.far.writer.start_tls(contexts.server));
  EXPECT_STREQ(error.what(), "TLS handshake with a stream in memory: wrong version number; does the peer speak TLS on this port?");
}

ASYNC_TEST(StartTls, SendsWhatWasWrittenBeforeInPlain) {
  auto pair = stream_pair({.room = 1'000});
  Contexts contexts;
  pair.far.writer.write(std::string(50'000, 'b') + "\n");
  auto upgrading = eddy::create_task(pair.far.writer.start_tls(contexts.server));
  auto plain = co_await pair.near.reader.readexactly(50'001);
  EXPECT_EQ(plain.size(), 50'001u);
  co_await pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost"});
  co_await upgrading;
  pair.far.writer.write("secret");
  auto secret = co_await pair.near.reader.readexactly(6);
  EXPECT_EQ(secret, "secret");
}

ASYNC_TEST(StartTls, WritesAndReadsMayWaitForTheHandshake) {
  auto pair = stream_pair();
  Contexts contexts;
  auto near = eddy::create_task(pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost"}));
  co_await settle();
  pair.near.writer.write("early");
  auto early = [&]() -> Coro<std::string> { co_return co_await pair.near.reader.readexactly(2); };
  auto reading = eddy::create_task(early());
  co_await settle();
  co_await pair.far.writer.start_tls(contexts.server);
  auto text = co_await pair.far.reader.readexactly(5);
  EXPECT_EQ(text, "early");
  pair.far.writer.write("ok");
  EXPECT_EQ(co_await reading, "ok");
  co_await near;
}

ASYNC_TEST(StartTls, MisuseIsToldOf) {
  Contexts contexts;
  auto pair = stream_pair();
  auto nameless = co_await error_of<eddy::ValueError>(pair.near.writer.start_tls(contexts.client));
  EXPECT_STREQ(nameless.what(), "start_tls: whose certificate shall it be? Give server_hostname, or make the context with check_hostname = false");
  const tls::Context none;
  auto empty = co_await error_of<eddy::ValueError>(pair.near.writer.start_tls(none));
  EXPECT_STREQ(empty.what(), "start_tls: the TLS context is empty; make one with tls::client()");
  auto plain = TEXT_OF(eddy::RuntimeError, tls::info(pair.near.writer));
  EXPECT_EQ(plain, "tls::info of a stream without TLS");
  {
    auto reading = eddy::create_task(everything(pair.far.reader));
    co_await settle();
    auto busy = co_await error_of<eddy::RuntimeError>(pair.far.writer.start_tls(contexts.server));
    EXPECT_STREQ(busy.what(), "start TLS with a stream in memory: another task reads from it");
    reading.cancel();
    co_await settle();
  }
  {
    const NumberedFile file(100'000);
    auto narrow = stream_pair({.room = 1000});
    auto sending = eddy::create_task(narrow.far.writer.sendfile(file.fd));
    co_await settle();
    auto busy = co_await error_of<eddy::RuntimeError>(narrow.far.writer.start_tls(contexts.server));
    EXPECT_STREQ(busy.what(), "start TLS with a stream in memory: another task sends a file");
    sending.cancel();
    co_await error_of<eddy::CancelledError>(std::move(sending));  // a read of the file may have to end first
    auto starting = eddy::create_task(narrow.far.writer.start_tls(contexts.server));
    co_await settle();
    auto too_soon = co_await error_of<eddy::BusyResourceError>(narrow.far.writer.sendfile(file.fd));
    EXPECT_STREQ(too_soon.what(), "sendfile to descriptor -1: another task already starts TLS");
    starting.cancel();
    co_await settle();
  }
  co_await secure(pair, contexts);
  auto twice = co_await error_of<eddy::RuntimeError>(pair.far.writer.start_tls(contexts.server));
  EXPECT_STREQ(twice.what(), "start TLS with a stream in memory: it has TLS already");
  pair.far.writer.close();
  co_await pair.far.writer.wait_closed();
  auto closed = co_await error_of<eddy::RuntimeError>(pair.far.writer.start_tls(contexts.server));
  EXPECT_STREQ(closed.what(), "start TLS with a closed stream: the stream is closed or closing");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, tls::info(pair.far.writer)), "tls::info of a stream that is closed");
}

ASYNC_TEST(StartTls, ClosingItMeanwhileEndsTheHandshake) {
  Contexts contexts;
  for (const bool gently : {true, false}) {
    auto pair = stream_pair();
    auto task = eddy::create_task(pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost"}));
    co_await settle();
    if (gently) pair.near.writer.close();
    else pair.near.writer.abort();
    auto error = co_await error_of<eddy::ConnectionAbortedError>(task);
    EXPECT_STREQ(error.what(), "TLS handshake with a closed stream: the connection was aborted");
  }
}

ASYNC_TEST(StartTls, ThePeerThatGoesMeanwhileEndsTheHandshake) {
  Contexts contexts;
  auto pair = stream_pair();
  auto task = eddy::create_task(pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost"}));
  co_await settle();
  pair.far.writer.abort();
  auto error = co_await error_of<eddy::ConnectionResetError>(task);
  EXPECT_STREQ(error.what(), "TLS handshake with localhost (a stream in memory): the peer closed the connection");
}

// --- everywhere ---------------------------------------------------------------------------------------

namespace {

Coro<> conversation() {
  Contexts contexts;
  auto pair = stream_pair({.room = 2'000, .piece = 700});
  auto serve = [](Streams streams, tls::Context context) -> Coro<> {
    co_await streams.writer.start_tls(context);
    co_await echo(std::move(streams.reader), std::move(streams.writer));
  };
  auto ask = [](Streams streams, tls::Context context) -> Coro<> {
    co_await streams.writer.start_tls(context, {.server_hostname = "localhost"});
    streams.writer.write(std::string(3'000, 'a'));
    co_await streams.writer.drain();
    co_await streams.reader.readexactly(3'000);
    streams.writer.close();
    co_await streams.writer.wait_closed();
  };
  auto both = [&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(serve(std::move(pair.far), contexts.server));
    co_await ask(std::move(pair.near), contexts.client);
  };
  co_await eddy::task_group(both);
}

}  // namespace

TEST(TlsEverywhere, ACancellationAtAnyAwaitLeavesNothingBehind) {
  EXPECT_GT(eddy::testing::cancel_everywhere(conversation), 7u);
}
TEST(TlsEverywhere, AFailureOfAnyAwaitLeavesNothingBehind) {
  EXPECT_GT(eddy::testing::fail_everywhere(conversation, eddy::OSError(ECONNRESET, "injected")), 4u);
}

namespace {

Coro<> visit_over_tcp() {
  Contexts contexts;
  auto handler = [](StreamReader reader, StreamWriter writer) -> Coro<> {
    try {
      co_await echo(std::move(reader), std::move(writer));
    } catch (const eddy::OSError&) {  // the client was stopped
    }
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0, {.tls = &contexts.server});
  {
    auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
    streams.writer.write(std::string(3'000, 'a'));
    co_await streams.writer.drain();
    co_await streams.reader.readexactly(3'000);
    streams.writer.close();
    co_await streams.writer.wait_closed();
  }
  server.close();
  co_await server.wait_closed();
}

}  // namespace

TEST(TlsEverywhere, TheSameOverTcp) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    const eddy::testing::SweepOptions options{.cancel_rest = true, .may_report = true, .backend = backend};
    EXPECT_GT(eddy::testing::cancel_everywhere(visit_over_tcp, options), 4u);
    EXPECT_GT(eddy::testing::fail_everywhere(visit_over_tcp, eddy::OSError(ECONNRESET, "injected"), options), 4u);
  }
}

TEST(TlsEverywhere, TheLoopMayEndAtAnyTime) {
  for (auto backend : eddy::available_backends()) {
    auto main = []() -> Coro<> {
      Contexts contexts;
      auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
      auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
      auto plain = co_await open_connection("127.0.0.1", server.port());
      streams.writer.write(std::string(10'000'000, 'x'));
      eddy::create_task(everything(streams.reader));
      eddy::create_task(open_connection("127.0.0.1", server.port(), {.tls = &contexts.client}));
      streams.writer.close();
      co_await eddy::sleep(0s);
    };
    eddy::run(main(), {.backend = backend});
  }
}

ASYNC_TEST(TlsEverywhere, TheTreeNamesTheHandshake) {
  Contexts contexts;
  auto pair = stream_pair();
  auto task = eddy::create_task(pair.near.writer.start_tls(contexts.client, {.server_hostname = "localhost"}));
  co_await settle();
  const auto tree = eddy::format_tasks();
  EXPECT_NE(tree.find("a TLS handshake with a stream in memory"), tree.npos) << tree;
  task.cancel();
  co_await settle();
  EXPECT_TRUE(pair.near.writer.is_closing());
}

// One context for all: tickets, sessions and certificates are shared between loops on different threads.
TEST(TlsThreads, AContextIsSharedByThreads) {
  Contexts contexts;
  const auto visits = [&] {
    auto main = [&]() -> Coro<> {
      auto server = co_await start_server(echo, "127.0.0.1", 0, {.tls = &contexts.server});
      for (int i = 0; i < 20; ++i) {
        auto streams = co_await open_connection("127.0.0.1", server.port(), {.tls = &contexts.client});
        streams.writer.write("x");
        auto x = co_await streams.reader.readexactly(1);
        EXPECT_EQ(x, "x");
        streams.writer.close();
        co_await streams.writer.wait_closed();
      }
      server.close();
      co_await server.wait_closed();
    };
    eddy::run(main());
  };
  std::thread one(visits), two(visits);
  for (int i = 0; i < 20; ++i) contexts.server.reload(localhost());
  one.join();
  two.join();
}

// SPDX-License-Identifier: MIT
#include "io/tls_streams.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "io/stream_core.hpp"
#include "io/tls_driver.hpp"

namespace eddy {
namespace detail {
namespace {

Coro<> until_open(StreamCore& core) {
  while (!core.closed() && !core.is_open()) co_await StreamCore::Change(core, StreamCore::Change::For::handshake);
}

Coro<> until_sent(StreamCore& core) {
  while (!core.closed() && core.queued() > 0) co_await StreamCore::Change(core, StreamCore::Change::For::handshake);
}

void check_can_start(StreamCore& core) {
  if (core.is_closing()) throw RuntimeError(fmt::format("start TLS with {}: the stream is closed or closing", core.describe()));
  if (core.driver()->tls()) throw RuntimeError(fmt::format("start TLS with {}: it has TLS already", tls_peer({}, core.fd())));
  if (core.has_reader()) throw RuntimeError(fmt::format("start TLS with {}: another task reads from it", tls_peer({}, core.fd())));
  if (core.is_sending_file()) throw RuntimeError(fmt::format("start TLS with {}: another task sends a file", tls_peer({}, core.fd())));
}

// RFC 2595, 2.1 and CVE-2011-0411: what somebody put in front of the handshake would be taken for the peer's.
void refuse_plain_bytes(StreamCore& core) {
  const auto count = core.buffer().size();
  if (count == 0) return;
  const std::string reason = "bytes came unencrypted before the handshake";
  throw tls::Error(0, reason,
                   fmt::format("start TLS with {}: {} {}; they may not be the peer's", tls_peer({}, core.fd()), count, reason));
}

}  // namespace

void check_tls_side(const tls::Context& context, bool server, const char* operation) {
  if (!context) throw ValueError(fmt::format("{}: the TLS context is empty; make one with tls::{}", operation, server ? "server(identity)" : "client()"));
  if (context.is_server() == server) return;
  throw ValueError(server ? fmt::format("{}: the TLS context is one for clients; make one with tls::server(identity)", operation)
                          : fmt::format("{}: the TLS context is one for servers; make one with tls::client()", operation));
}

Coro<> put_tls_on(StreamHandle stream, tls::Context context, std::string host, Duration handshake_timeout,
                  Duration shutdown_timeout) {
  auto& core = stream.core();
  check_can_start(core);
  struct AbortUnlessDone {
    StreamCore& core;
    bool done = false;
    explicit AbortUnlessDone(StreamCore& c) noexcept : core(c) {}
    ~AbortUnlessDone() {
      if (!done) core.abort();
    }
  } guard(core);
  const auto name = tls_peer(host, core.fd());
  bool late = false;
  co_await until_sent(core);
  refuse_plain_bytes(core);
  if (!core.closed()) {
    TlsDriver* driver = nullptr;
    core.put_on([&](std::unique_ptr<StreamDriver>& below, StreamSink& sink) {
      auto made = std::make_unique<TlsDriver>(core.loop(), below, sink, context.shared_core(), std::move(host),
                                              shutdown_timeout);
      driver = made.get();
      return made;
    });
    driver->start();
    try {
      co_await timeout(handshake_timeout, until_open(core));
    } catch (const TimeoutError&) {
      late = true;
    }
  }
  if (core.closed()) core.throw_lost("TLS handshake with ");
  if (late) throw TimeoutError(fmt::format("TLS handshake with {}: not done after {}", name, format_duration(handshake_timeout.count())));
  guard.done = true;
}

std::string start_tls_host(const tls::Context& context, std::string host) {
  if (!context) check_tls_side(context, false, "start_tls");
  const auto& settings = context.core().settings();
  if (!settings.is_server && settings.verify && settings.check_hostname && host.empty()) {
    throw ValueError("start_tls: whose certificate shall it be? Give server_hostname, or make the context with check_hostname = false");
  }
  return settings.is_server ? std::string() : host;
}

}  // namespace detail

namespace {

Coro<> start_tls(StreamWriter writer, tls::Context context, std::string host, StartTlsOptions options) {
  host = detail::start_tls_host(context, std::move(host));
  co_await detail::put_tls_on(std::move(writer), std::move(context), std::move(host), options.handshake_timeout,
                              options.shutdown_timeout);
}

}  // namespace

Coro<> StreamWriter::start_tls(const tls::Context& context, StartTlsOptions options) {
  return eddy::start_tls(*this, context, std::string(options.server_hostname), options);
}

namespace tls {

Info info(const StreamWriter& writer) {
  const auto* driver = writer.core().driver();
  if (!driver) throw RuntimeError("tls::info of a stream that is closed");
  if (!driver->tls()) throw RuntimeError("tls::info of a stream without TLS");
  return driver->tls()->info();
}

}  // namespace tls
}  // namespace eddy

// SPDX-License-Identifier: MIT
// A connection reads the body of a request: for the handler, and what it has left.
#include <eddy/exceptions.hpp>
#include <eddy/http/http_error.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "http/server/connection.hpp"

namespace eddy::http::detail {
namespace {

constexpr std::size_t kDrainedBody = 64 * 1024;  // an unread rest of up to this is read for the connection's sake

}  // namespace

Coro<std::optional<std::string>> Connection::next_chunk() {
  std::optional<std::string> chunk;
  start_body();
  while (!take_chunk(chunk)) co_await wait_for_body();
  co_return chunk;
}

void Connection::start_body() {
  auto& body = exchange_->body;
  if (std::exchange(body_begun_, true) || body.done()) return;
  const auto framing = head().framing();
  if (framing.kind == BodyFraming::Kind::length && framing.length > body_limit_) {
    throw ContentTooLarge(fmt::format("the body has {} bytes; the limit is {}", framing.length, body_limit_));
  }
  ParseLimits limits;
  limits.body = body_limit_;
  body = BodyDecoder(framing, limits);
  body_waited_ = 0;
  if (!head().expects_continue() || !reader_.buffered().empty()) return;
  exchange_->out += "HTTP/1.1 100 Continue\r\n\r\n";
  flush();
}

// True: `chunk` is the next piece, or the body has ended.
bool Connection::take_chunk(std::optional<std::string>& chunk) {
  auto& body = exchange_->body;
  while (!body.done() && !body.failed() && !reader_.buffered().empty()) {
    const auto step = body.next(reader_.buffered());
    if (!step.payload.empty()) chunk.emplace(step.payload);
    reader_.consume(step.consumed);
    if (chunk) break;
  }
  if (body.failed()) {
    if (body.error().code == ParseErrorCode::body_too_large) {
      throw ContentTooLarge(fmt::format("the body has more than {} bytes, the limit", body_limit_));
    }
    throw HttpError(body.error().status, body.error().text);
  }
  if (body.done() && peer_gone_) cancel_later();
  return chunk || body.done();
}

// How long the rest of the body may still keep us waiting, ns.
std::int64_t Connection::wait_allowance() const noexcept {
  const auto& options = server_.options;
  const auto rate = std::max<std::uint64_t>(options.min_body_rate, 1);
  const auto earned = static_cast<std::int64_t>(std::min<std::uint64_t>(exchange_->body.size() / rate, 1u << 30)) * 1'000'000'000;
  return std::max<std::int64_t>(options.body_timeout.count() + earned - body_waited_, 1);
}

// Waits until there are more bytes of the body. In the handler's task, or after the handler in ours.
Coro<> Connection::wait_for_body() {
  struct Waiting {
    Connection& connection;
    Phase before;
    std::int64_t since;
    explicit Waiting(Connection& c) noexcept : connection(c), before(c.phase_), since(coarse_now()) {
      c.body_reader_ = &eddy::detail::current_task_core();
    }
    ~Waiting() {
      connection.body_reader_ = nullptr;
      connection.body_waited_ += coarse_now() - since;
      connection.phase_ = before;
      connection.deadline_ = kNever;
    }
  };
  bool more = false, late = false;
  {
    flush();
    Waiting waiting(*this);
    enter(Phase::handling, Duration::nanoseconds(wait_allowance()));
    try {
      more = co_await reader_.more();
    } catch (const CancelledError&) {
      if (!body_late_) throw;
      late = true;
    } catch (const OSError&) {  // the client has gone
    }
  }
  if (late) {
    eddy::current_task().uncancel();
    throw RequestTimeout(fmt::format("the body came too slowly: {} bytes so far", exchange_->body.size()));
  }
  if (more) co_return;
  exchange_->body.end_of_stream();
  throw BadRequest(fmt::format("the connection ended after {} bytes of the body", exchange_->body.size()));
}

// Decides what becomes of a body that the handler did not read: one that is here, or small, is skipped; past
// that, or if the client waits for a word before it sends, the connection ends with the response.
void Connection::settle_body() {
  auto& body = exchange_->body;
  if (body.done()) return;
  const auto framing = head().framing();
  if (!body_begun_ && head().expects_continue()) {
    keep_alive_ = false;
    linger_ = true;
    return;
  }
  body_begun_ = true;
  while (!body.done() && !body.failed() && !reader_.buffered().empty()) {
    const auto step = body.next(reader_.buffered());
    reader_.consume(step.consumed);
  }
  if (body.done()) return;
  const bool small = framing.kind == BodyFraming::Kind::length && framing.length - body.size() <= kDrainedBody;
  if (small && keep_alive_ && !body.failed() && !body_late_) return;
  keep_alive_ = false;
  linger_ = true;
}

Coro<> Connection::skip_body() {
  std::optional<std::string> chunk("");
  try {
    while (chunk) chunk = co_await next_chunk();
  } catch (const HttpError&) {
    keep_alive_ = false;
  }
}

}  // namespace eddy::http::detail

// SPDX-License-Identifier: MIT
// A connection sends a response, whole or in pieces.
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "http/server/connection.hpp"
#include "http/server/response_head.hpp"
#include "io/stream_core.hpp"

namespace eddy::http::detail {
namespace {

constexpr std::size_t kSlice = 256 * 1024;  // of a big body, written at a time

}  // namespace

void Connection::append_head(const Response& response, std::int64_t length) {
  if (keep_alive_ && wants_close(response)) keep_alive_ = false;
  const bool old = head().version() == Version::http_1_0;
  chunked_ = length < 0 && !old && may_have_body(response.status());
  if (length < 0 && old) keep_alive_ = false;
  const auto persistence = !keep_alive_ ? Persistence::close : old ? Persistence::keep_alive : Persistence::unsaid;
  server_.heads.append_to(exchange_->out, response, length, chunked_, persistence);
}

void Connection::append_response(const Response& response) {
  const auto& body = response.body();
  append_head(response, static_cast<std::int64_t>(body.size()));
  if (body.size() <= kSmallBody && head().method() != Method::head && may_have_body(response.status())) exchange_->out += body;
}

// Slice by slice: the stream copies no more than it cannot send, and each slice is a step forward for the
// write timeout.
Coro<> Connection::send_big(const Response& response) {
  std::string_view rest = response.body();
  if (!may_have_body(response.status())) co_return;
  writer_.core().cork();
  flush();
  writer_.write(rest.substr(0, kSlice));
  writer_.core().uncork();
  rest.remove_prefix(std::min(rest.size(), kSlice));
  while (!rest.empty()) {
    co_await drain();
    writer_.write(rest.substr(0, kSlice));
    rest.remove_prefix(std::min(rest.size(), kSlice));
  }
}

Coro<> Connection::stream(Response& response) {
  auto& source = *response.source();
  announced_ = source.length;
  append_head(response, source.length);
  if (head().method() == Method::head || !may_have_body(response.status())) co_return;
  ResponseWriter writer(*this);
  std::exception_ptr error;
  try {
    co_await source.send(writer);
  } catch (const BaseException&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  if (writer_.is_closing()) {  // the client has gone
    keep_alive_ = false;
    co_return;
  }
  if (!error && announced_ > 0) {
    error = std::make_exception_ptr(ValueError(fmt::format("the body ended {} bytes before its length", announced_)));
  }
  if (error) {
    const auto text = fmt::format("the body of {} {} broke off; the connection was closed", head().method_text(),
                                  head().path());
    eddy::get_running_loop().call_exception_handler({text, error, AnyTask::from_core(*task_)});
    writer_.abort();
    keep_alive_ = linger_ = false;
    exchange_->out.clear();
    co_return;
  }
  if (chunked_) exchange_->out += "0\r\n\r\n";
}

Coro<> Connection::write_piece(std::string_view data) {
  if (data.empty()) co_return;
  if (announced_ >= 0) {
    if (static_cast<std::uint64_t>(announced_) < data.size()) {
      throw ValueError(fmt::format("a piece of {} bytes; {} were left of the length that was announced", data.size(),
                                   announced_));
    }
    announced_ -= static_cast<std::int64_t>(data.size());
  }
  if (chunked_) append_chunk_head(exchange_->out, data.size());
  writer_.core().cork();
  flush();
  if (!writer_.is_closing()) {
    writer_.write(data);
    if (chunked_) writer_.write("\r\n");
  }
  writer_.core().uncork();
  co_await drain();
}

Coro<std::uint64_t> Connection::send_file(int file, std::uint64_t offset, std::uint64_t count) {
  flush();
  const Phase before = phase_;
  enter_sending();
  const auto sent = co_await writer_.sendfile(file, {.offset = offset, .count = count});
  phase_ = before;
  deadline_ = kNever;
  announced_ -= static_cast<std::int64_t>(sent);
  co_return sent;
}

void Connection::flush() {
  if (!exchange_ || exchange_->out.empty()) return;
  auto& out = exchange_->out;
  if (!writer_.is_closing()) writer_.write(out);
  if (out.capacity() > 4 * Exchange::kBatch) out = {};
  else out.clear();
}

bool Connection::must_drain() const noexcept { return writer_.core().must_drain(); }

Coro<> Connection::drain() {
  if (!must_drain()) co_return;
  const Phase before = phase_;
  enter_sending();
  co_await writer_.drain();
  phase_ = before;
  deadline_ = kNever;
}

// Closing now, with bytes of the client unread, would reset the connection and take the answer away from it.
Coro<> Connection::linger() {
  flush();
  if (peer_gone_) co_return;
  writer_.write_eof();
  enter(Phase::lingering, server_.options.linger_timeout);
  for (;;) {
    reader_.consume(reader_.buffered().size());
    const bool more = co_await reader_.more();
    if (!more) break;
  }
}

}  // namespace eddy::http::detail

// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/http/json.hpp>
#include <eddy/http/media_type.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "http/client/state.hpp"

namespace eddy::http {
namespace detail {

void ResponseState::begin(ResponseParser& parser, Lease connection) {
  auto& head = parser.head();
  status = head.status();
  reason = head.reason();
  headers = Headers(head.headers());
  connection.reader().consume(head.size());
  reusable = head.keep_alive() && !head.upgrade() && status != 101;
  ParseLimits limits;
  framing = BodyDecoder(head.framing(), limits);
  lease = std::move(connection);
  if (framing.done()) return finish();
  if (!session->options.decompress) return;
  std::string codings;
  for (const auto field : headers.get_all("content-encoding")) codings.append(codings.empty() ? "" : ", ").append(field);
  if (codings.empty()) return;
  DecodeLimits bomb;
  bomb.size = std::numeric_limits<std::uint64_t>::max();
  coding.emplace(codings, bomb);
  if (coding->is_identity()) coding.reset();
}

// Takes what is buffered; true once `piece` holds something or the body has ended.
bool ResponseState::take(std::string& piece) {
  auto& reader = lease.reader();
  while (piece.empty() && !framing.done() && !framing.failed() && !reader.buffered().empty()) {
    const auto step = framing.next(reader.buffered());
    if (coding) coding->append(step.payload, piece);
    else piece.append(step.payload);
    reader.consume(step.consumed);
  }
  if (framing.failed()) {
    lease.drop();
    done = true;
    throw BadResponseError(fmt::format("{}bad response body: {}", request.prefix(), framing.error().text));
  }
  if (framing.done()) {
    if (coding) coding->finish();
    finish();
  }
  return !piece.empty() || done;
}

void ResponseState::finish() {
  done = true;
  if (reusable && lease.reader().buffered().empty() && lease.writer().write_buffer_size() == 0) lease.keep();
  else lease.drop();
}

Coro<std::optional<std::string>> ResponseState::next() {
  std::string piece;
  std::exception_ptr error;
  try {
    while (!done && !take(piece)) {
      const bool more = co_await wait_for_more(lease.reader(), request, deadline);
      if (more) continue;
      framing.end_of_stream();
      if (framing.done()) continue;
      throw ServerDisconnectedError(
          ECONNRESET, fmt::format("{}the connection ended after {} bytes of the body", request.prefix(), framing.size()));
    }
  } catch (const BaseException&) {
    lease.drop();
    throw;
  } catch (const ContentDecodingError& e) {
    error = std::make_exception_ptr(ContentDecodingError(request.prefix() + e.what()));
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    lease.drop();
    std::rethrow_exception(error);
  }
  if (piece.empty()) co_return std::nullopt;
  co_return piece;
}

namespace {

Coro<std::string> read_whole(std::shared_ptr<ResponseState> state) {
  if (state->whole) co_return *state->whole;
  std::string whole;
  for (;;) {
    auto piece = co_await state->next();
    if (!piece) break;
    if (whole.size() + piece->size() > state->request.max_body) {
      state->lease.drop();
      throw BodyTooLargeError(fmt::format("{}the body has more than {} bytes, the limit", state->request.prefix(),
                                          state->request.max_body));
    }
    if (whole.empty()) whole = std::move(*piece);
    else whole += *piece;
  }
  state->whole = std::move(whole);
  co_return *state->whole;
}

std::string charset_of(const Headers& headers) {
  const auto type = parse_media_type(headers.get("content-type").value_or(""));
  return std::string(type ? type->charset() : "");
}

// Strict and lenient modes for a page whose charset nobody named.
std::string decode_unnamed(std::string_view bytes, const std::string& label, OnError on_error) {
  if (on_error == OnError::replace) return eddy::decode_page(bytes, label);
  std::string_view used;
  eddy::decode_page(bytes, label, &used);
  bytes.remove_prefix(sniff_charset(bytes).mark_length);
  return eddy::decode(bytes, used, on_error);
}

Coro<std::string> read_text(std::shared_ptr<ResponseState> state, std::string encoding, OnError on_error) {
  auto bytes = co_await read_whole(state);
  if (!encoding.empty()) co_return eddy::decode(bytes, encoding, on_error);
  co_return decode_unnamed(bytes, charset_of(state->headers), on_error);
}

Coro<boost::json::value> read_json(std::shared_ptr<ResponseState> state) {
  auto bytes = co_await read_whole(state);
  co_return parse_json(bytes);
}

Coro<std::optional<std::string>> next_of(std::shared_ptr<ResponseState> state) {
  auto piece = co_await state->next();
  co_return piece;
}

}  // namespace
}  // namespace detail

Coro<std::optional<std::string>> ResponseBody::next() { return detail::next_of(state_); }
bool ResponseBody::at_end() const noexcept { return state_->done; }

int ClientResponse::status() const noexcept { return state_->status; }
const std::string& ClientResponse::reason() const noexcept { return state_->reason; }
const Headers& ClientResponse::headers() const noexcept { return state_->headers; }
const Url& ClientResponse::url() const noexcept { return state_->request.url; }
const std::string& ClientResponse::method() const noexcept { return state_->request.method; }
const std::vector<PastResponse>& ClientResponse::history() const noexcept { return state_->history; }

void ClientResponse::raise_for_status() const {
  if (ok()) return;
  const auto phrase = reason().empty() ? reason_phrase(status()) : std::string_view(reason());
  throw ResponseError(fmt::format("{}{} {}", state_->request.prefix(), status(), phrase), status(), url());
}

Coro<std::string> ClientResponse::read() { return detail::read_whole(state_); }
Coro<std::string> ClientResponse::text(std::string_view encoding, OnError on_error) {
  return detail::read_text(state_, std::string(encoding), on_error);
}
Coro<boost::json::value> ClientResponse::json() { return detail::read_json(state_); }
std::string ClientResponse::encoding() const { return detail::charset_of(headers()); }
void ClientResponse::close() noexcept {
  state_->lease.drop();
  state_->done = true;
}

}  // namespace eddy::http

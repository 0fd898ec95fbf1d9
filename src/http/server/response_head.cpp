// SPDX-License-Identifier: MIT
#include "http/server/response_head.hpp"

#include <eddy/http/write.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <ctime>

#include "http/ascii.hpp"
#include "http/codec/length.hpp"

namespace eddy::http {

Response redirect_response(std::string_view location, int status) {
  Response response(status);
  response.headers().add("Location", location);
  return response;
}

namespace detail {
namespace {

constexpr std::string_view kLength = "Content-Length: ";

std::string_view type_field(Response::Kind kind) noexcept {
  switch (kind) {
    case Response::Kind::text: return "Content-Type: text/plain; charset=utf-8\r\n";
    case Response::Kind::html: return "Content-Type: text/html; charset=utf-8\r\n";
    case Response::Kind::json: return "Content-Type: application/json\r\n";
    case Response::Kind::bytes: return "Content-Type: application/octet-stream\r\n";
    case Response::Kind::none: break;
  }
  return {};
}

// The fields that say where the body ends and what becomes of the connection are ours.
bool is_ours(std::string_view name) noexcept {
  using ascii::equal_ignoring_case;
  return equal_ignoring_case(name, "content-length") || equal_ignoring_case(name, "transfer-encoding") ||
         equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "date");
}

void append_own_fields(std::string& out, const Headers& headers) {
  for (const Field field : headers) {
    if (!is_ours(field.name)) out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
}

// Now, as the Date field wants it: a few ms old.
std::chrono::sys_seconds coarse_today() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
  return std::chrono::sys_seconds(std::chrono::seconds(time.tv_sec));
}

}  // namespace

void ResponseHeads::append_to(std::string& out, const Response& response, std::int64_t length, bool chunked,
                              Persistence persistence) {
  if (out.empty()) look_at_clock();
  const int status = response.status();
  const auto& headers = response.headers();
  const bool has_length = !chunked && length >= 0 && may_have_body(status);
  if (status == 200 && headers.empty() && has_length) {
    out.append(plain_[static_cast<std::size_t>(response.kind())]);
  } else {
    write_status_line(out, status);
    out.append(date_.at(now_));
    if (!headers.contains("content-type")) out.append(type_field(response.kind()));
    append_own_fields(out, headers);
    if (chunked) write_chunked(out);
    if (has_length) out.append(kLength);
  }
  const bool unsaid = persistence == Persistence::unsaid;
  if (has_length) append_length(out, static_cast<std::uint64_t>(length), unsaid);
  if (!unsaid) out.append(persistence == Persistence::close ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
  else if (!has_length) out.append("\r\n");
}

void ResponseHeads::look_at_clock() {
  const auto now = coarse_today();
  if (now == now_) return;
  now_ = now;
  for (std::size_t kind = 0; kind < Response::kKinds; ++kind) {
    auto& plain = plain_[kind];
    plain.clear();
    write_status_line(plain, 200);
    plain.append(date_.at(now)).append(type_field(static_cast<Response::Kind>(kind))).append(kLength);
  }
}

void append_chunk_head(std::string& out, std::size_t size) { write_chunk_head(out, size); }

bool wants_close(const Response& response) noexcept {
  if (response.headers().empty()) return false;
  const auto field = response.headers().get("connection");
  return field && ascii::equal_ignoring_case(*field, "close");
}

Response error_response(int status, std::string_view detail) {
  if (detail.empty()) detail = reason_phrase(status);
  boost::json::value text(boost::json::string_view(detail.data(), detail.size()));
  return Response(status, "{\"detail\":" + boost::json::serialize(text) + "}", Response::Kind::json);
}

Response response_of(const HttpError& error) {
  const bool redirects = error.status() >= 300 && error.status() < 400;
  auto response = redirects || !may_have_body(error.status()) ? Response(error.status())
                                                              : error_response(error.status(), error.detail());
  for (const Field field : error.headers()) response.headers().add(field.name, field.value);
  return response;
}

}  // namespace detail
}  // namespace eddy::http

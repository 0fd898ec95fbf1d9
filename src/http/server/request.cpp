// SPDX-License-Identifier: MIT
#include <eddy/charset.hpp>
#include <eddy/http/cookies.hpp>
#include <eddy/http/http_error.hpp>
#include <eddy/http/json.hpp>
#include <eddy/http/media_type.hpp>
#include <eddy/http/percent.hpp>
#include <eddy/http/request.hpp>
#include <fmt/format.h>

#include "http/ascii.hpp"
#include "http/server/connection.hpp"

namespace eddy::http {

Coro<std::optional<std::string>> RequestBody::next() { return connection_->next_chunk(); }
bool RequestBody::at_end() const noexcept { return connection_->body().done(); }
void RequestBody::set_limit(std::uint64_t bytes) noexcept { connection_->set_body_limit(bytes); }
const Headers& RequestBody::trailers() const noexcept { return connection_->body().trailers(); }

Coro<> ResponseWriter::write(std::string_view data) { return connection_->write_piece(data); }

Method Request::method() const noexcept { return connection_->head().method(); }
std::string_view Request::method_text() const noexcept { return connection_->head().method_text(); }
Version Request::version() const noexcept { return connection_->head().version(); }
std::string_view Request::target() const noexcept { return connection_->head().target(); }
std::string_view Request::path() const noexcept { return connection_->head().path(); }
std::string_view Request::query() const noexcept { return connection_->head().query(); }
std::string_view Request::authority() const noexcept { return connection_->head().authority(); }
const HeaderView& Request::headers() const noexcept { return connection_->head().headers(); }
Address Request::peer() const { return connection_->peer(); }
bool Request::closing() const noexcept { return connection_->closing(); }

std::string Request::path_param(std::string_view name) const { return connection_->params().at(name); }

std::optional<std::string> Request::query_param(std::string_view name) const {
  for (auto& [key, value] : parse_form(query())) {
    if (key == name) return std::move(value);
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> Request::query_params() const { return parse_form(query()); }

std::optional<std::string_view> Request::cookie(std::string_view name) const {
  for (const auto field : headers().get_all("cookie")) {
    for (const auto& [key, value] : parse_cookies(field)) {
      if (key == name) return value;
    }
  }
  return std::nullopt;
}

Coro<std::string> Request::body() {
  std::string whole;
  for (;;) {
    auto chunk = co_await body_.next();
    if (!chunk) break;
    if (whole.empty()) whole = std::move(*chunk);
    else whole += *chunk;
  }
  co_return whole;
}

Coro<std::string> Request::text() {
  auto bytes = co_await body();
  const auto type = parse_media_type(header("content-type").value_or(""));
  const std::string charset(type ? type->charset() : "");
  try {
    co_return eddy::decode(bytes, charset.empty() ? "utf-8" : charset);
  } catch (const UnknownCharsetError& e) {
    throw UnsupportedMediaType(e.what());
  } catch (const UnicodeError& e) {
    throw BadRequest(e.what());
  }
}

Coro<boost::json::value> Request::json() {
  auto bytes = co_await body();
  try {
    co_return parse_json(bytes);
  } catch (const JsonError& e) {
    throw BadRequest(e.what());
  }
}

Coro<std::vector<std::pair<std::string, std::string>>> Request::form() {
  const auto type = parse_media_type(header("content-type").value_or(""));
  if (!type || type->essence != "application/x-www-form-urlencoded") {
    throw UnsupportedMediaType("the body must be application/x-www-form-urlencoded");
  }
  auto bytes = co_await body();
  co_return parse_form(bytes);
}

}  // namespace eddy::http

// SPDX-License-Identifier: MIT
#include <eddy/http/url.hpp>

#include <eddy/http/percent.hpp>
#include <fmt/format.h>

#include "http/url/parser.hpp"

namespace eddy::http {
namespace {

constexpr std::size_t kShown = 200;  // bytes of a refused text that an error quotes

std::string quoted(std::string_view text) {
  std::string shown;
  for (char c : text.substr(0, kShown)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) shown += fmt::format("\\x{:02x}", c);
    else shown += c;
  }
  return text.size() > kShown ? shown + "…" : shown;
}

}  // namespace

UrlError::UrlError(std::string_view text, std::size_t offset, std::string_view rule)
    : ValueError(fmt::format("bad URL '{}': {}, at byte {}", quoted(text), rule, offset)),
      text_(text),
      offset_(offset),
      rule_(rule) {}

Url Url::parse_or_throw(std::string_view text, const Url* base) {
  UrlParser parser(text, base);
  if (auto url = parser.parse()) return *std::move(url);
  throw UrlError(text, parser.offset(), parser.rule());
}

std::optional<Url> Url::parse(std::string_view text) { return UrlParser(text, nullptr).parse(); }

std::optional<Url> Url::try_join(std::string_view reference) const {
  return UrlParser(reference, this).parse();
}

std::uint16_t Url::port() const noexcept {
  return static_cast<std::uint16_t>(port_ >= 0 ? port_ : std::max(default_port(scheme()), 0));
}

std::string Url::origin() const {
  if (opaque_ || default_port(scheme()) <= 0) return "null";
  return fmt::format("{}://{}", scheme(), authority());
}

Url Url::with_query(std::string_view name, std::string_view value) const {
  const std::string pair = (query().empty() ? (query_end_ > path_end_ ? "" : "?") : "&") + form_encode(name) +
                           "=" + form_encode(value);
  Url changed = *this;
  changed.text_.insert(query_end_, pair);
  changed.query_end_ += static_cast<std::uint32_t>(pair.size());
  return changed;
}

Url Url::without_query() const {
  Url changed = *this;
  changed.text_.erase(path_end_, query_end_ - path_end_);
  changed.query_end_ = path_end_;
  return changed;
}

Url Url::without_fragment() const {
  Url changed = *this;
  changed.text_.resize(query_end_);
  return changed;
}

Url Url::without_credentials() const {
  Url changed = *this;
  const std::uint32_t length = host_ - user_;
  changed.text_.erase(user_, length);
  changed.user_end_ = changed.password_end_ = user_;
  for (auto part : {&Url::host_, &Url::host_end_, &Url::authority_end_, &Url::path_, &Url::path_end_,
                    &Url::query_end_})
    changed.*part -= length;
  return changed;
}

}  // namespace eddy::http

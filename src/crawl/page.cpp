// SPDX-License-Identifier: MIT
#include <eddy/crawl/page.hpp>

#include <eddy/http/media_type.hpp>

#include <span>
#include <utility>

#include "crawl/engine.hpp"

namespace eddy::crawl {

namespace {

std::optional<http::MediaType> type_of(const http::Headers& headers) {
  const auto field = headers.get("content-type");
  return field ? http::parse_media_type(*field) : std::nullopt;
}

}  // namespace

Page::Page(Engine& engine, const Request& request, FetchedPage fetched)
    : engine_(engine), request_(request), fetched_(std::move(fetched)), label_(engine.options().encoding) {
  if (!label_.empty()) return;
  if (const auto type = type_of(headers())) label_ = type->charset();
}

const http::Url& Page::url() const noexcept { return request_.url; }
const std::vector<std::string>& Page::redirects() const noexcept { return request_.redirects; }
int Page::depth() const noexcept { return request_.depth; }
const std::string& Page::tag() const noexcept { return request_.tag; }
std::uint64_t Page::sequence() const noexcept { return request_.sequence; }

bool Page::is_html() const {
  const auto type = type_of(headers());
  return !type || type->essence == "text/html" || type->essence == "application/xhtml+xml";
}

std::string Page::text() const { return decode_page(body(), label_); }

const html::Document& Page::html() {
  if (!document_) document_ = html::parse(std::as_bytes(std::span(body())), {.encoding = label_});
  return *document_;
}

const http::Url& Page::base() {
  if (base_) return *base_;
  const auto href = is_html() ? html().base_href() : std::nullopt;
  base_ = href ? url().try_join(*href) : std::nullopt;
  if (!base_) base_ = url();
  return *base_;
}

std::optional<http::Url> Page::join(std::string_view reference) { return base().try_join(reference); }

bool Page::follow(std::string_view reference, const Follow& how) {
  if (links_++ >= engine_.options().max_links) {
    engine_.drop_link();
    return false;
  }
  auto target = join(reference);
  return target && engine_.follow(request_, std::move(*target), how);
}

std::size_t Page::follow(const html::Elements& links, const Follow& how) {
  std::size_t added = 0;
  for (const auto& link : links) {
    auto reference = link.attr("href");
    if (!reference) reference = link.attr("src");
    if (reference && follow(*reference, how)) ++added;
  }
  return added;
}

Coro<> Page::item(Item item) { return engine_.emit(std::move(item)); }

}  // namespace eddy::crawl

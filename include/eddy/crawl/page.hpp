// SPDX-License-Identifier: MIT
// A page as the code that reads it gets it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/charset.hpp>
#include <eddy/coro.hpp>
#include <eddy/crawl/fetcher.hpp>
#include <eddy/crawl/item.hpp>
#include <eddy/html.hpp>
#include <eddy/http/headers.hpp>
#include <eddy/http/url.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::crawl {

class Engine;
struct Request;

/// How a link is followed.
struct Follow {
  std::string_view tag = {};  // handed on to Page::tag(), copied
  int priority = 0;           // the higher is fetched earlier, within its host
};

/// A page that was fetched with status 200. Lives until its `parse` has ended.
class Page {
 public:
  /// Where it was found in the end, and the URLs that redirected there, oldest first.
  const http::Url& url() const noexcept;
  const std::vector<std::string>& redirects() const noexcept;
  int status() const noexcept { return fetched_.status; }
  const http::Headers& headers() const noexcept { return fetched_.headers; }
  /// The bytes as they came, without Content-Encoding.
  const std::string& body() const noexcept { return fetched_.body; }
  /// Links between it and a start URL.
  int depth() const noexcept;
  /// What follow() was given for it.
  const std::string& tag() const noexcept;
  /// A number that grows in the order in which URLs were found: sorting by it gives the order of the links.
  std::uint64_t sequence() const noexcept;

  /// Whether it says that it is HTML or XHTML, or says nothing.
  bool is_html() const;
  /// The text as browsers read it: byte order mark, SpiderOptions::encoding, Content-Type, what the page says.
  /// Damaged bytes become U+FFFD.
  std::string text() const;
  /// The text in a charset of one's own choice: Python's `body.decode(label, errors)`. Throws UnicodeDecodeError,
  /// LookupError.
  std::string text(std::string_view label, OnError on_error) const { return decode(body(), label, on_error); }
  /// The page, parsed when first asked for. Throws html::ParseError for a page past html's limits.
  const html::Document& html();

  /// Puts a link of this page into the queue: an absolute URL or a reference, resolved against the page's <base>.
  /// True if it is new: not seen before, wanted by the spider's limits, and http.
  bool follow(std::string_view reference, const Follow& how = {});
  /// The same with the `href`, else the `src`, of each element; how many are new.
  std::size_t follow(const html::Elements& links, const Follow& how = {});
  /// Resolves a reference without following it; nothing if it is no URL.
  std::optional<http::Url> join(std::string_view reference);

  /// Hands an item to the spider's sink; waits while that is behind.
  Coro<> item(Item item);

  Page(Engine& engine, const Request& request, FetchedPage fetched);
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

 private:
  std::string_view charset_label() const noexcept { return label_; }
  const http::Url& base();

  Engine& engine_;
  const Request& request_;
  FetchedPage fetched_;
  std::string label_;  // the charset from outside of the page, "" if nobody says
  std::optional<html::Document> document_;
  std::optional<http::Url> base_;
  std::size_t links_ = 0;  // asked to be followed
};

}  // namespace eddy::crawl

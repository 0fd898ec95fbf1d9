// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/html/element.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::html {

/// What becomes of a page that passes one of the limits.
enum class OnLimit {
  fail,      ///< throw ParseError: nothing is lost unnoticed
  truncate,  ///< keep the tree up to there; Document::truncated() says which limit
};

struct ParseOptions {
  /// Label of the charset of bytes, as from `Content-Type`. Empty: what the page says. Not used for text.
  std::string_view encoding = {};
  OnLimit on_limit = OnLimit::fail;

  // Limits. The work is linear in the page for any page; these bound its factor and the memory.
  std::size_t bytes = 64 << 20;   ///< of UTF-8; at most 1 GiB. The tree takes about three times the page.
  std::size_t nodes = 4'000'000;  ///< elements, texts, comments; 36 bytes each
  std::size_t depth = 512;        ///< elements inside each other, as in Chromium
  std::size_t attributes = 256;   ///< of one element
};

/// A page that passes a limit: "html: 513 elements inside each other, the limit is 512
/// (ParseOptions::depth)".
class ParseError : public ValueError {
 public:
  ParseError(const std::string& what, std::string_view limit, std::size_t allowed, std::size_t actual)
      : ValueError(what), limit_(limit), allowed_(allowed), actual_(actual) {}
  /// "bytes", "nodes", "depth" or "attributes".
  const std::string& limit() const noexcept { return limit_; }
  std::size_t allowed() const noexcept { return allowed_; }
  /// Where the parser stopped: one more than allowed, or the whole size for "bytes"; for "attributes" at
  /// least that.
  std::size_t actual() const noexcept { return actual_; }

 private:
  std::string limit_;
  std::size_t allowed_;
  std::size_t actual_;
};

/// An attribute that holds a URL.
struct Link {
  Element element;
  std::string_view attribute;  ///< "href"
  std::string_view url;        ///< as it stands in the page, blanks around it taken off
};

/// Resolves a reference against a base: the `join` of a URL library.
using UrlJoin = std::function<std::string(std::string_view base, std::string_view reference)>;

/// A parsed page. A small handle that shares its tree, which never changes.
class Document {
 public:
  /// The <html> element; nothing for a page without any element or text.
  std::optional<Element> root() const;
  std::optional<Element> head() const { return select_one("html > head"); }
  std::optional<Element> body() const { return select_one("html > body"); }

  /// Every element that matches, in the order of the page. Throws SelectorError.
  Elements select(std::string_view css) const { return select(Selector(css)); }
  Elements select(const Selector& selector) const;
  std::optional<Element> select_one(std::string_view css) const { return select_one(Selector(css)); }
  std::optional<Element> select_one(const Selector& selector) const;
  std::optional<Element> find(const Query& query) const;
  std::optional<Element> find(std::string_view name) const { return find(Query{.name = name}); }
  Elements find_all(const Query& query) const;
  Elements find_all(std::string_view name) const { return find_all(Query{.name = name}); }

  /// Text of the first <title>, blanks squeezed; "" without one.
  std::string title() const;
  /// The `href` of the first <base> that has one.
  std::optional<std::string_view> base_href() const noexcept;
  /// Every attribute that holds a URL, in the order of the page: href, src, action, cite, poster, data, …
  std::vector<Link> links() const;
  /// The links' URLs made absolute against the page's own URL and its <base>.
  std::vector<std::string> absolute_links(std::string_view page_url, const UrlJoin& join) const;

  /// text() of the root; "" for an empty page.
  std::string text(const TextOptions& options = {}) const;
  /// The whole page, with its doctype, by the HTML Standard's serialisation.
  std::string html() const;
  /// Canonical name of the charset the bytes were in; "utf-8" if text was parsed.
  std::string_view encoding() const noexcept;
  /// The limit at which the page was cut off ("depth"), or "". Only with OnLimit::truncate.
  std::string_view truncated() const noexcept;

 private:
  friend struct detail::Access;
  explicit Document(std::shared_ptr<const detail::Tree> tree) noexcept : tree_(std::move(tree)) {}

  std::shared_ptr<const detail::Tree> tree_;
};

/// Parses text in UTF-8; what is not UTF-8 in it becomes U+FFFD, NUL characters are dropped, and a charset
/// that the page declares is not looked at.
///
/// The tree is that of libxml2's HTML parser, which lxml and pyquery use, except that <source>, <track> and
/// <wbr> are void as in HTML 5. It is not the tree that browsers build; docs/reference/html.md shows where
/// they differ. No network, no files, no entities from outside. Throws ParseError.
Document parse(std::string_view utf8, const ParseOptions& options = {});

/// Parses bytes as they came: decode_page() with `options.encoding` says what they mean.
Document parse(std::span<const std::byte> bytes, const ParseOptions& options = {});

}  // namespace eddy::html

// SPDX-License-Identifier: MIT
// URLs as browsers read them: the WHATWG URL Standard.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <eddy/exceptions.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace eddy::http {

/// A text that is not a URL: "bad URL 'http://a b/': the host holds a character that no host may hold, at
/// byte 7".
class UrlError : public ValueError {
 public:
  UrlError(std::string_view text, std::size_t offset, std::string_view rule);
  /// The text that was refused.
  const std::string& text() const noexcept { return text_; }
  /// Where in it the fault is, in bytes.
  std::size_t offset() const noexcept { return offset_; }
  /// The rule that was broken: "the port is above 65535".
  std::string_view rule() const noexcept { return rule_; }

 private:
  std::string text_;
  std::size_t offset_;
  std::string_view rule_;  // a literal
};

/// An absolute URL in normal form.
///
///     http::Url page("HTTP://Example.ORG:80/a/../b?q=1#top");
///     page.str();                       // "http://example.org/b?q=1#top"
///     page.join("../c?x").str();        // "http://example.org/c?x"
///     page.with_query("r", "a b&c");    // … "?q=1&r=a+b%26c#top"
///
/// Parsing follows the standard's URL parser: tabs, line ends and surrounding spaces are dropped, backslashes
/// count as slashes in http(s), ws(s), ftp and file, dot segments are resolved, hosts go through IDNA (UTS
/// 46, by libidn2) and the IPv4 and IPv6 parsers, default ports vanish. Other schemes ("mailto:", "data:")
/// are read as well; `is_http()` tells what can be fetched. One difference: bytes that are not UTF-8 are
/// percent-encoded as they are.
///
/// Equal URLs have equal text, so comparing and hashing are those of the text. Immutable but for assignment;
/// views live as long as the object.
class Url {
 public:
  /// Parses an absolute URL. Throws UrlError.
  template <class Text>
  requires(std::convertible_to<const Text&, std::string_view> &&
           !std::same_as<std::remove_cvref_t<Text>, Url>) Url(const Text& text)
      : Url(parse_or_throw(std::string_view(text), nullptr)) {}

  /// The same without an exception.
  static std::optional<Url> parse(std::string_view text);
  /// Resolves a reference, such as the `href` of a link on this page. Throws UrlError.
  Url join(std::string_view reference) const { return parse_or_throw(reference, this); }
  /// The same without an exception.
  std::optional<Url> try_join(std::string_view reference) const;

  const std::string& str() const noexcept { return text_; }
  /// "https", without the colon.
  std::string_view scheme() const noexcept { return view(0, scheme_end_); }
  /// Still percent-encoded, like all parts.
  std::string_view username() const noexcept { return view(user_, user_end_); }
  std::string_view password() const noexcept {
    return password_end_ > user_end_ ? view(user_end_ + 1, password_end_) : std::string_view();
  }
  /// "example.org", "127.0.0.1", "[::1]"; "" if there is none.
  std::string_view host() const noexcept { return view(host_, host_end_); }
  /// Host and port as they stand in a Host field: the port only if it is not the scheme's own.
  std::string_view authority() const noexcept { return view(host_, authority_end_); }
  /// The port to connect to: the one given, else the scheme's own, else 0.
  std::uint16_t port() const noexcept;
  /// "/a/b"; never empty in http.
  std::string_view path() const noexcept { return view(path_, path_end_); }
  /// What stands behind '?'; "" also if there is no '?'.
  std::string_view query() const noexcept {
    return query_end_ > path_end_ ? view(path_end_ + 1, query_end_) : std::string_view();
  }
  /// What stands behind '#'.
  std::string_view fragment() const noexcept {
    return query_end_ < text_.size() ? std::string_view(text_).substr(query_end_ + 1) : std::string_view();
  }
  /// Path and query, as a request line wants them.
  std::string_view target() const noexcept { return view(path_, query_end_); }
  /// "https://example.org:8443"; "null" for schemes whose URLs have no origin that compares.
  std::string origin() const;

  bool is_http() const noexcept { return scheme() == "http" || scheme() == "https"; }
  /// https or wss.
  bool is_secure() const noexcept { return scheme() == "https" || scheme() == "wss"; }

  /// With `name=value` (form encoding) behind the query there is.
  Url with_query(std::string_view name, std::string_view value) const;
  Url without_query() const;
  Url without_fragment() const;
  /// Without user name and password, fit for logs and Referer.
  Url without_credentials() const;

  friend bool operator==(const Url& a, const Url& b) noexcept { return a.text_ == b.text_; }
  friend std::strong_ordering operator<=>(const Url& a, const Url& b) noexcept { return a.text_ <=> b.text_; }

 private:
  friend class UrlParser;
  Url() = default;
  static Url parse_or_throw(std::string_view text, const Url* base);
  std::string_view view(std::uint32_t from, std::uint32_t to) const noexcept {
    return {text_.data() + from, to - from};
  }
  bool is_opaque() const noexcept { return opaque_; }

  // https://user:password@host:port/path?query#fragment     ends are offsets behind the part's last byte
  std::string text_;
  std::uint32_t scheme_end_ = 0;
  std::uint32_t user_ = 0, user_end_ = 0, password_end_ = 0;
  std::uint32_t host_ = 0, host_end_ = 0, authority_end_ = 0;
  std::uint32_t path_ = 0, path_end_ = 0, query_end_ = 0;
  std::int32_t port_ = -1;  // -1: the scheme's own
  bool has_host_ = false;
  bool opaque_ = false;  // the path is one string, as in "mailto:a@b"
};

}  // namespace eddy::http

template <>
struct std::hash<eddy::http::Url> {
  std::size_t operator()(const eddy::http::Url& url) const noexcept {
    return std::hash<std::string_view>()(url.str());
  }
};

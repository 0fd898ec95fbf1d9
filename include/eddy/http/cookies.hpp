// SPDX-License-Identifier: MIT
// Cookies (RFC 6265 and the rules of its successor that browsers follow).
#pragma once

#include <chrono>
#include <cstdint>
#include <eddy/http/headers.hpp>
#include <eddy/http/url.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy::http {

enum class SameSite : std::uint8_t { unset, none, lax, strict };

/// One Set-Cookie field.
struct Cookie {
  std::string name;
  std::string value;
  std::string domain = {};  ///< in lower case, without a leading dot; "": only the host that set it
  std::string path = {};    ///< "": the directory of the request
  std::optional<std::chrono::sys_seconds> expires = {};
  std::optional<std::chrono::seconds> max_age = {};  ///< wins over `expires`; 0 or less: delete
  bool secure = false;
  bool http_only = false;
  SameSite same_site = SameSite::unset;
};

/// Reads a Set-Cookie field, leniently as the RFC says; nothing if it sets no cookie: no '=' before the first
/// ';', an empty name, a control character, or name and value of more than 4,096 bytes.
std::optional<Cookie> parse_set_cookie(std::string_view field);

/// The Set-Cookie field of a cookie. Throws ValueError for what cannot stand in it:
/// "cookie value of 'a' holds ';' at byte 3".
std::string write_set_cookie(const Cookie& cookie);

/// The pairs of a request's Cookie field, in order; views into it.
std::vector<std::pair<std::string_view, std::string_view>> parse_cookies(std::string_view field);

/// What a client remembers between requests.
///
///     jar.store(url, response.headers(), now);
///     std::string field = jar.field_for(next_url, now);   // "a=1; b=2", or ""
///
/// Knows no clock: every call is told the time. A cookie comes back only to hosts, paths and schemes it was
/// set for; a Domain that is a public suffix ("com", "co.uk", by the public suffix list) is refused; what
/// came over http cannot be or replace a Secure cookie; `__Host-` and `__Secure-` names mean what they say.
class CookieJar {
 public:
  struct Limits {
    std::size_t per_domain = 180;  ///< cookies; the one used longest ago goes first
    std::size_t total = 3000;
  };

  CookieJar() : CookieJar(Limits{}) {}
  explicit CookieJar(const Limits& limits) : limits_(limits) {}

  /// Takes in one Set-Cookie field of a response from `url`; false if it was refused.
  bool store(const Url& url, std::string_view set_cookie, std::chrono::sys_seconds now);
  /// Takes in all Set-Cookie fields.
  void store(const Url& url, const Headers& headers, std::chrono::sys_seconds now);
  /// The Cookie field for a request: longer paths first, then older cookies; "" if there is none.
  std::string field_for(const Url& url, std::chrono::sys_seconds now);

  std::size_t size() const noexcept { return size_; }
  void clear() noexcept;
  /// Drops cookies without an expiry date, as a browser does when it is closed.
  void clear_session();

 private:
  struct Stored {
    std::string name, value, path;
    std::chrono::sys_seconds expires;  // sys_seconds::max() for session cookies
    std::uint64_t created = 0, used = 0;  // ticks of clock_
    bool host_only = false, secure = false, http_only = false;
  };
  using Shelf = std::vector<Stored>;

  bool put(const std::string& domain, Stored stored, std::chrono::sys_seconds now);
  void make_room(Shelf& shelf, std::chrono::sys_seconds now);
  void drop_oldest();

  Limits limits_;
  std::map<std::string, Shelf, std::less<>> shelves_;  // by domain
  std::size_t size_ = 0;
  std::uint64_t clock_ = 0;  // counts uses, to know which was longest ago
};

}  // namespace eddy::http

// SPDX-License-Identifier: MIT
#include <eddy/http/cookies.hpp>

#include <libpsl.h>

#include <algorithm>
#include <limits>

#include "http/ascii.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono;

bool is_public_suffix(const std::string& domain) noexcept {
  const psl_ctx_t* list = psl_builtin();
  return list != nullptr && psl_is_public_suffix2(list, domain.c_str(), PSL_TYPE_ANY) != 0;
}

bool is_address(std::string_view host) noexcept {  // hosts come from Url: a last label of digits means IPv4
  return host.starts_with('[') || (!host.empty() && ascii::is_digit(host.back()));
}

bool domain_matches(std::string_view host, std::string_view domain) noexcept {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.' && !is_address(host);
}

bool path_matches(std::string_view path, std::string_view cookie_path) noexcept {
  if (!path.starts_with(cookie_path)) return false;
  return path.size() == cookie_path.size() || cookie_path.ends_with('/') || path[cookie_path.size()] == '/';
}

std::string_view directory_of(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? std::string_view("/") : path.substr(0, slash);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) noexcept {
  return ascii::equal_ignoring_case(text.substr(0, start.size()), start);
}

}  // namespace

bool CookieJar::store(const Url& url, std::string_view set_cookie, sys_seconds now) {
  auto cookie = parse_set_cookie(set_cookie);
  if (!cookie || url.host().empty()) return false;
  const std::string host(url.host());
  if (!cookie->domain.empty() && (is_address(host) || is_public_suffix(cookie->domain))) {
    if (cookie->domain != host) return false;
    cookie->domain.clear();  // the host itself: only there
  }
  if (!cookie->domain.empty() && !domain_matches(host, cookie->domain)) return false;
  if (cookie->secure && !url.is_secure()) return false;
  if (starts_with_ignoring_case(cookie->name, "__Secure-") && !cookie->secure) return false;
  if (starts_with_ignoring_case(cookie->name, "__Host-") &&
      (!cookie->secure || !cookie->domain.empty() || cookie->path != "/"))
    return false;
  if (cookie->same_site == SameSite::none && !cookie->secure) return false;

  Stored stored;
  stored.host_only = cookie->domain.empty();
  stored.name = std::move(cookie->name);
  stored.value = std::move(cookie->value);
  stored.path = cookie->path.empty() ? std::string(directory_of(url.path())) : std::move(cookie->path);
  stored.secure = cookie->secure;
  stored.http_only = cookie->http_only;
  stored.expires = cookie->max_age
                       ? (cookie->max_age->count() <= 0 ? sys_seconds::min() : now + *cookie->max_age)
                       : cookie->expires.value_or(sys_seconds::max());
  // What came over http must not shadow a Secure cookie of the same name.
  if (!url.is_secure()) {
    for (const auto& [domain, shelf] : shelves_) {
      if (!domain_matches(host, domain) && !domain_matches(domain, host)) continue;
      for (const Stored& other : shelf)
        if (other.secure && other.name == stored.name && path_matches(stored.path, other.path)) return false;
    }
  }
  return put(stored.host_only ? host : cookie->domain, std::move(stored), now);
}

void CookieJar::store(const Url& url, const Headers& headers, sys_seconds now) {
  for (const Field field : headers)
    if (ascii::equal_ignoring_case(field.name, "set-cookie")) store(url, field.value, now);
}

bool CookieJar::put(const std::string& domain, Stored stored, sys_seconds now) {
  Shelf& shelf = shelves_[domain];
  stored.created = stored.used = ++clock_;
  const auto same = std::find_if(shelf.begin(), shelf.end(), [&](const Stored& other) {
    return other.name == stored.name && other.path == stored.path && other.host_only == stored.host_only;
  });
  if (same != shelf.end()) {
    stored.created = same->created;
    shelf.erase(same);
    --size_;
  }
  if (stored.expires > now) {
    shelf.push_back(std::move(stored));
    ++size_;
    if (shelf.size() > limits_.per_domain) make_room(shelf, now);
  }
  if (shelf.empty()) shelves_.erase(domain);
  if (size_ > limits_.total) drop_oldest();
  return true;
}

void CookieJar::make_room(Shelf& shelf, sys_seconds now) {
  size_ -= std::erase_if(shelf, [now](const Stored& stored) { return stored.expires <= now; });
  if (shelf.size() <= limits_.per_domain) return;
  shelf.erase(std::min_element(shelf.begin(), shelf.end(),
                               [](const Stored& a, const Stored& b) { return a.used < b.used; }));
  --size_;
}

void CookieJar::drop_oldest() {
  auto oldest_shelf = shelves_.end();
  Shelf::iterator oldest;
  for (auto shelf = shelves_.begin(); shelf != shelves_.end(); ++shelf)
    for (auto at = shelf->second.begin(); at != shelf->second.end(); ++at)
      if (oldest_shelf == shelves_.end() || at->used < oldest->used) oldest_shelf = shelf, oldest = at;
  oldest_shelf->second.erase(oldest);
  if (oldest_shelf->second.empty()) shelves_.erase(oldest_shelf);
  --size_;
}

std::string CookieJar::field_for(const Url& url, sys_seconds now) {
  const std::string_view host = url.host();
  std::vector<Stored*> chosen;
  const auto look = [&](std::string_view domain) {
    const auto shelf = shelves_.find(domain);
    if (shelf == shelves_.end()) return;
    for (Stored& stored : shelf->second)
      if (stored.expires > now && (!stored.host_only || domain == host) &&
          (!stored.secure || url.is_secure()) && path_matches(url.path(), stored.path))
        chosen.push_back(&stored);
  };
  look(host);
  if (!is_address(host))
    for (auto dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1))
      look(host.substr(dot + 1));
  std::sort(chosen.begin(), chosen.end(), [](const Stored* a, const Stored* b) {
    if (a->path.size() != b->path.size()) return a->path.size() > b->path.size();
    return a->created < b->created;
  });
  std::string field;
  for (Stored* stored : chosen) {
    stored->used = ++clock_;
    if (!field.empty()) field += "; ";
    field.append(stored->name).append("=").append(stored->value);
  }
  return field;
}

void CookieJar::clear() noexcept {
  shelves_.clear();
  size_ = 0;
}

void CookieJar::clear_session() {
  for (auto shelf = shelves_.begin(); shelf != shelves_.end();) {
    size_ -= std::erase_if(shelf->second,
                           [](const Stored& stored) { return stored.expires == sys_seconds::max(); });
    shelf = shelf->second.empty() ? shelves_.erase(shelf) : std::next(shelf);
  }
}

}  // namespace eddy::http

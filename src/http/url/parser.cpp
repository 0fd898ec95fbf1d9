// SPDX-License-Identifier: MIT
#include "http/url/parser.hpp"

#include <algorithm>
#include <limits>

#include "http/ascii.hpp"
#include "http/url/host.hpp"
#include "http/url/percent_sets.hpp"

namespace eddy::http {
namespace {

constexpr std::size_t kLongest = 1 << 20;  // bytes; browsers stop at 2 MiB or earlier

bool is_tab_or_line_end(char c) noexcept { return c == '\t' || c == '\n' || c == '\r'; }
bool is_edge(char c) noexcept { return static_cast<unsigned char>(c) <= 0x20; }

bool is_drive_letter(std::string_view text) noexcept {
  return text.size() == 2 && ascii::is_alpha(text[0]) && (text[1] == ':' || text[1] == '|');
}
bool starts_with_drive_letter(std::string_view text) noexcept {
  return is_drive_letter(text.substr(0, 2)) &&
         (text.size() == 2 || std::string_view("/\\?#").find(text[2]) != std::string_view::npos);
}
bool is_normal_drive_letter(std::string_view text) noexcept {
  return is_drive_letter(text) && text[1] == ':';
}

bool is_single_dot(std::string_view s) noexcept { return s == "." || ascii::equal_ignoring_case(s, "%2e"); }
bool is_double_dot(std::string_view s) noexcept {
  return s == ".." || ascii::equal_ignoring_case(s, ".%2e") || ascii::equal_ignoring_case(s, "%2e.") ||
         ascii::equal_ignoring_case(s, "%2e%2e");
}

}  // namespace

int default_port(std::string_view scheme) noexcept {
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "https" || scheme == "wss") return 443;
  if (scheme == "ftp") return 21;
  return scheme == "file" ? 0 : -1;
}

UrlParser::UrlParser(std::string_view text, const Url* base) : original_(text), base_(base) {
  if (std::any_of(text.begin(), text.end(), is_tab_or_line_end)) {
    std::copy_if(text.begin(), text.end(), std::back_inserter(stripped_),
                 [](char c) { return !is_tab_or_line_end(c); });
    text = stripped_;
  }
  while (!text.empty() && is_edge(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_edge(text.back())) text.remove_suffix(1);
  text_ = text;
}

std::size_t UrlParser::offset() const noexcept {
  const bool copied = !stripped_.empty();
  std::size_t left =
      fault_ + static_cast<std::size_t>(text_.data() - (copied ? stripped_.data() : original_.data()));
  if (!copied) return std::min(left, original_.size());
  std::size_t at = 0;
  for (; at < original_.size(); ++at) {
    if (is_tab_or_line_end(original_[at])) continue;
    if (left == 0) break;
    --left;
  }
  return at;
}

bool UrlParser::fail(std::string_view rule, std::size_t at) {
  rule_ = rule;
  fault_ = at;
  return false;
}

std::optional<Url> UrlParser::parse() {
  if (original_.size() > kLongest) return fail("it is longer than 1 MiB", kLongest), std::nullopt;
  std::size_t colon = 0;
  if (!text_.empty() && ascii::is_alpha(text_[0])) {
    while (colon < text_.size() && (ascii::is_alnum(text_[colon]) || text_[colon] == '+' ||
                                    text_[colon] == '-' || text_[colon] == '.'))
      ++colon;
  }
  const bool has_scheme = colon > 0 && colon < text_.size() && text_[colon] == ':';
  if (!(has_scheme ? with_scheme(colon) : without_scheme())) return std::nullopt;
  return assemble();
}

bool UrlParser::with_scheme(std::size_t colon) {
  scheme_ = ascii::lowered(text_.substr(0, colon));
  special_ = default_port(scheme_) >= 0;
  at_ = colon + 1;
  if (scheme_ == "file") return file();
  if (special_) {
    const bool slashes = text_.substr(at_).starts_with("//");
    if (base_ != nullptr && base_->scheme() == scheme_ && !slashes) return relative();
    while (is_slash(at_)) ++at_;
    return authority();
  }
  if (text_.substr(at_).starts_with("//")) {
    at_ += 2;
    return authority();
  }
  return looking_at('/') ? path() : opaque_path();
}

bool UrlParser::without_scheme() {
  if (base_ == nullptr) return fail("it has no scheme and there is no base to resolve it against", 0);
  if (base_->is_opaque() && !looking_at('#'))
    return fail("the base cannot be a base, as it has no hierarchy", 0);
  scheme_ = base_->scheme();
  special_ = default_port(scheme_) >= 0;
  if (base_->is_opaque()) {
    opaque_ = true;
    path_ = base_->path();
    if (base_->query_end_ > base_->path_end_) query_ = base_->query();
    return fragment();
  }
  return scheme_ == "file" ? file() : relative();
}

// Takes over the base's credentials, host and port, and perhaps its path and query.
void UrlParser::take_base(bool with_path) {
  username_ = base_->username();
  password_ = base_->password();
  if (base_->has_host_) host_ = base_->host();
  port_ = base_->port_;
  if (!with_path) return;
  path_ = base_->path();
  if (base_->query_end_ > base_->path_end_) query_ = base_->query();
}

bool UrlParser::relative() {
  if (is_slash(at_)) {
    if (is_slash(at_ + 1)) {
      at_ += 2;
      while (special_ && is_slash(at_)) ++at_;
      return authority();
    }
    take_base(false);
    return path();
  }
  take_base(true);
  if (looking_at('?')) return query();
  if (looking_at('#')) return fragment();
  if (at_end()) return true;
  query_.reset();
  shorten_path();
  return path();
}

bool UrlParser::authority() {
  std::size_t end = at_;
  while (end < text_.size() && !is_slash(end) && text_[end] != '?' && text_[end] != '#') ++end;
  const auto whole = text_.substr(at_, end - at_);
  std::size_t host = at_;
  if (const auto sign = whole.rfind('@'); sign != std::string_view::npos) {
    const auto userinfo = whole.substr(0, sign);
    const auto colon = std::min(userinfo.find(':'), userinfo.size());
    percent::append(username_, userinfo.substr(0, colon), percent::kUserinfo);
    if (colon != userinfo.size()) percent::append(password_, userinfo.substr(colon + 1), percent::kUserinfo);
    host += sign + 1;
    if (host == end) return fail("there is no host behind the user name", host);
  }
  return host_and_port(host, end) && path_start();
}

bool UrlParser::host_and_port(std::size_t from, std::size_t end) {
  std::size_t host_end = from;
  for (bool in_brackets = false; host_end < end && (in_brackets || text_[host_end] != ':'); ++host_end) {
    if (text_[host_end] == '[') in_brackets = true;
    if (text_[host_end] == ']') in_brackets = false;
  }
  if (host_end == from && (special_ || host_end != end)) return fail("the host is empty", from);
  auto host = parse_host(text_.substr(from, host_end - from), special_);
  if (!host.broken_rule.empty()) return fail(host.broken_rule, from);
  host_ = std::move(host.text);
  at_ = end;
  if (host_end == end) return true;
  const auto digits = text_.substr(host_end + 1, end - host_end - 1);
  std::int32_t port = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (!ascii::is_digit(digits[i])) return fail("the port is not a number", host_end + 1 + i);
    port = port * 10 + (digits[i] - '0');
    if (port > 65535) return fail("the port is above 65535", host_end + 1);
  }
  if (!digits.empty() && port != default_port(scheme_)) port_ = port;
  return true;
}

bool UrlParser::file() {
  host_ = "";
  if (is_slash(at_)) {
    ++at_;
    return file_slash();
  }
  if (base_ == nullptr || base_->scheme() != "file") return path();
  take_base(true);
  if (looking_at('?')) return query();
  if (looking_at('#')) return fragment();
  if (at_end()) return true;
  query_.reset();
  if (starts_with_drive_letter(text_.substr(at_))) path_.clear();
  else shorten_path();
  return path();
}

bool UrlParser::file_slash() {
  if (is_slash(at_)) {
    ++at_;
    return file_host();
  }
  if (base_ != nullptr && base_->scheme() == "file") {
    host_ = base_->host();
    const auto drive = base_->path().substr(0, 3);
    const bool has_drive = drive.size() == 3 && is_normal_drive_letter(drive.substr(1)) &&
                           (base_->path().size() == 3 || base_->path()[3] == '/');
    if (has_drive && !starts_with_drive_letter(text_.substr(at_))) path_ = drive;
  }
  return path();
}

bool UrlParser::file_host() {
  std::size_t end = at_;
  while (end < text_.size() && !is_slash(end) && text_[end] != '?' && text_[end] != '#') ++end;
  const auto name = text_.substr(at_, end - at_);
  if (is_drive_letter(name)) return path();
  if (!name.empty()) {
    auto host = parse_host(name, true);
    if (!host.broken_rule.empty()) return fail(host.broken_rule, at_);
    if (host.text != "localhost") host_ = std::move(host.text);
  }
  at_ = end;
  return path_start();
}

bool UrlParser::path_start() {
  if (special_) return path();
  if (looking_at('?')) return query();
  if (looking_at('#')) return fragment();
  return at_end() || path();
}

bool UrlParser::path() {
  if (is_slash(at_)) ++at_;
  for (;;) {
    std::size_t end = at_;
    while (end < text_.size() && !is_slash(end) && text_[end] != '?' && text_[end] != '#') ++end;
    end_segment(text_.substr(at_, end - at_), is_slash(end));
    at_ = end;
    if (!is_slash(end)) break;
    ++at_;
  }
  if (looking_at('?')) return query();
  return at_end() || fragment();
}

void UrlParser::end_segment(std::string_view segment, bool at_slash) {
  if (is_double_dot(segment)) {
    shorten_path();
    if (!at_slash) path_ += '/';
  } else if (is_single_dot(segment)) {
    if (!at_slash) path_ += '/';
  } else {
    const bool drive = scheme_ == "file" && path_.empty() && is_drive_letter(segment);
    path_ += '/';
    percent::append(path_, segment, percent::kPath);
    if (drive) path_.back() = ':';
  }
}

void UrlParser::shorten_path() {
  if (scheme_ == "file" && path_.size() == 3 && is_normal_drive_letter(std::string_view(path_).substr(1)))
    return;
  if (!path_.empty()) path_.erase(path_.rfind('/'));
}

bool UrlParser::opaque_path() {
  opaque_ = true;
  const std::size_t end = std::min(text_.find_first_of("?#", at_), text_.size());
  percent::append(path_, text_.substr(at_, end - at_), percent::kControl);
  at_ = end;
  if (at_end()) return true;
  if (path_.ends_with(' ')) path_.replace(path_.size() - 1, 1, "%20");
  return looking_at('?') ? query() : fragment();
}

bool UrlParser::query() {
  const std::size_t end = std::min(text_.find('#', at_), text_.size());
  query_.emplace();
  percent::append(*query_, text_.substr(at_ + 1, end - at_ - 1),
                  special_ ? percent::kSpecialQuery : percent::kQuery);
  at_ = end;
  return at_end() || fragment();
}

bool UrlParser::fragment() {
  fragment_.emplace();
  percent::append(*fragment_, text_.substr(at_ + 1), percent::kFragment);
  at_ = text_.size();
  return true;
}

Url UrlParser::assemble() const {
  Url url;
  std::string& text = url.text_;
  const auto here = [&text] { return static_cast<std::uint32_t>(text.size()); };
  text.reserve(scheme_.size() + username_.size() + password_.size() + (host_ ? host_->size() : 0) +
               path_.size() + (query_ ? query_->size() : 0) + (fragment_ ? fragment_->size() : 0) + 16);
  text = scheme_;
  url.scheme_end_ = here();
  text += host_ ? "://" : ":";
  url.user_ = here();
  text += username_;
  url.user_end_ = here();
  if (!password_.empty()) (text += ':') += password_;
  url.password_end_ = here();
  if (url.password_end_ != url.user_) text += '@';
  url.host_ = here();
  if (host_) text += *host_;
  url.host_end_ = here();
  if (port_ >= 0) (text += ':') += std::to_string(port_);
  url.authority_end_ = here();
  if (!host_ && !opaque_ && path_.starts_with("//")) text += "/.";  // else the path would read as a host
  url.path_ = here();
  text += path_;
  url.path_end_ = here();
  if (query_) (text += '?') += *query_;
  url.query_end_ = here();
  if (fragment_) (text += '#') += *fragment_;
  url.port_ = port_;
  url.has_host_ = host_.has_value();
  url.opaque_ = opaque_;
  return url;
}

}  // namespace eddy::http

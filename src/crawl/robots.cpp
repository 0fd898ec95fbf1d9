// SPDX-License-Identifier: MIT
#include <eddy/crawl/robots.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace eddy::crawl {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lower_text(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string_view trim(std::string_view text) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// A robot's product token: letters, '-' and '_' (2.2.1).
std::string product_token(std::string_view agent) {
  const auto end = std::find_if(agent.begin(), agent.end(), [](char c) {
    const char l = lower(c);
    return !((l >= 'a' && l <= 'z') || c == '-' || c == '_');
  });
  return lower_text(std::string_view(agent.data(), static_cast<std::size_t>(end - agent.begin())));
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool is_unreserved(unsigned char c) noexcept {
  const char l = lower(static_cast<char>(c));
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

// One spelling for paths and rules: bytes outside ASCII are escaped, escapes of unreserved characters are not,
// the digits of the others are upper case (2.2.2). Escaped '*' and '$' stay escaped, so they are no wildcards.
std::string normal_form(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string result;
  const auto escape = [&](unsigned char c) { ((result += '%') += kHex[c >> 4]) += kHex[c & 15]; };
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto c = static_cast<unsigned char>(path[i]);
    const int high = i + 2 < path.size() ? hex_digit(path[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(path[i + 2]) : -1;
    if (c == '%' && low >= 0) {
      const auto byte = static_cast<unsigned char>(high * 16 + low);
      if (is_unreserved(byte)) result += static_cast<char>(byte);
      else escape(byte);
      i += 2;
    } else if (c <= 0x20 || c >= 0x7F) {
      escape(c);
    } else {
      result += static_cast<char>(c);
    }
  }
  return result;
}

// Whether the pattern fits a beginning of the path. Greedy from star to star: each part at its first place is
// right for all but the last part of a pattern that ends in '$', which belongs at the end.
bool fits(std::string_view pattern, std::string_view path) noexcept {
  const bool to_end = pattern.ends_with('$');
  if (to_end) pattern.remove_suffix(1);
  auto star = pattern.find('*');
  const auto head = pattern.substr(0, star);
  if (!path.starts_with(head)) return false;
  path.remove_prefix(head.size());
  if (star == std::string_view::npos) return !to_end || path.empty();
  while (star != std::string_view::npos) {
    pattern.remove_prefix(star + 1);
    star = pattern.find('*');
    const auto part = pattern.substr(0, star);
    if (star == std::string_view::npos && to_end) return path.ends_with(part);
    // memmem is linear in both, which string_view::find is not.
    const auto* place = static_cast<const char*>(::memmem(path.data(), path.size(), part.data(), part.size()));
    if (!place) return false;
    path.remove_prefix(static_cast<std::size_t>(place - path.data()) + part.size());
  }
  return true;
}

std::optional<Duration> read_delay(std::string_view text) noexcept {
  constexpr double kDay = 86'400;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0)) return std::nullopt;
  return Duration(std::chrono::duration<double>(std::min(seconds, kDay)));
}

}  // namespace

class Robots::Reader {
 public:
  explicit Reader(Robots& robots) noexcept : robots_(robots) {}

  void read(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty() && agents_ < kMaxRules && rules_ < kMaxRules) {
      const auto end = text.find_first_of("\r\n");
      read_line(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }

 private:
  void read_line(std::string_view line) {
    line = line.substr(0, line.find('#'));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const auto key = lower_text(trim(line.substr(0, colon)));
    const auto value = trim(line.substr(colon + 1));
    if (key == "user-agent") {
      start_agent(value);
    } else if (key == "sitemap") {
      if (robots_.sitemaps_.size() < kMaxRules) robots_.sitemaps_.emplace_back(value);
    } else if (key == "allow" || key == "disallow") {
      add_rule(value, key == "allow");
    } else if (key == "crawl-delay" && !robots_.groups_.empty()) {
      in_agents_ = false;
      if (const auto delay = read_delay(value)) robots_.groups_.back().delay = delay;
    }
  }

  // Agents in a row share a group; the first agent behind a rule starts another.
  void start_agent(std::string_view value) {
    ++agents_;
    if (!in_agents_) robots_.groups_.emplace_back();
    in_agents_ = true;
    robots_.groups_.back().agents.push_back(value == "*" ? "*" : product_token(value));
  }

  void add_rule(std::string_view value, bool allow) {
    if (robots_.groups_.empty()) return;
    in_agents_ = false;
    if (value.empty() || (value.front() != '/' && value.front() != '*')) return;
    ++rules_;
    robots_.groups_.back().rules.push_back({normal_form(value), allow});
  }

  Robots& robots_;
  bool in_agents_ = false;
  std::size_t agents_ = 0, rules_ = 0;
};

Robots::Robots(std::string_view text) { Reader(*this).read(text.substr(0, kMaxBytes)); }

Robots Robots::nothing_allowed() { return Robots("User-agent: *\nDisallow: /\n"); }

std::vector<const Robots::Group*> Robots::groups_of(std::string_view agent) const {
  const auto collect = [&](const std::string& name) {
    std::vector<const Group*> result;
    for (const auto& group : groups_) {
      if (std::find(group.agents.begin(), group.agents.end(), name) != group.agents.end()) result.push_back(&group);
    }
    return result;
  };
  auto own = collect(product_token(agent));
  return own.empty() ? collect("*") : own;
}

bool Robots::allows(std::string_view agent, std::string_view target) const {
  const auto path = normal_form(target);
  if (path == "/robots.txt") return true;
  const Rule* best = nullptr;
  for (const auto* group : groups_of(agent)) {
    for (const auto& rule : group->rules) {
      const bool better = !best || rule.pattern.size() > best->pattern.size() ||
                          (rule.pattern.size() == best->pattern.size() && rule.allow && !best->allow);
      if (better && fits(rule.pattern, path)) best = &rule;
    }
  }
  return !best || best->allow;
}

std::optional<Duration> Robots::crawl_delay(std::string_view agent) const {
  for (const auto* group : groups_of(agent)) {
    if (group->delay) return group->delay;
  }
  return std::nullopt;
}

}  // namespace eddy::crawl

// SPDX-License-Identifier: MIT
#include "io/dns_config.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace eddy::detail {
namespace {

constexpr int kDnsPort = 53;
constexpr std::size_t kMostServers = 3;  // MAXNS of the C library
constexpr std::string_view kBlanks = " \t\r\f\v";

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Calls `take(line)` for each line, without its comment.
template <class F>
void for_each_line(std::string_view text, std::string_view comment_signs, F take) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    take(line.substr(0, line.find_first_of(comment_signs)));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
}

/// Cuts the next word off; empty at the end.
std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(kBlanks);
  if (begin == line.npos) return {};
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

std::optional<Address> numeric_address(std::string_view host, int port) {
  try {
    return Address(host, port);
  } catch (const ValueError&) {
    return std::nullopt;
  }
}

/// "ndots:2": the number behind `name`, between the two bounds, as the C library cuts it.
bool take_number(std::string_view option, std::string_view name, int most, int& value) {
  if (!option.starts_with(name)) return false;
  option.remove_prefix(name.size());
  int number = 0;
  std::from_chars(option.data(), option.data() + option.size(), number);
  value = std::clamp(number, 0, most);
  return true;
}

void take_option(ResolvConf& conf, std::string_view option) {
  if (take_number(option, "ndots:", 15, conf.ndots) || take_number(option, "timeout:", 30, conf.timeout) ||
      take_number(option, "attempts:", 5, conf.attempts)) {
    return;
  }
  if (option == "rotate") conf.rotate = true;
  else if (option == "use-vc") conf.use_tcp = true;
  else if (option != "edns0" && option != "trust-ad" && option != "single-request" && option != "debug" &&
           option != "single-request-reopen" && option != "no-check-names" && option != "no-reload" &&
           conf.unknown.empty()) {
    conf.unknown = fmt::format("option '{}'", option);
  }
}

void take_nameserver(ResolvConf& conf, std::string_view text) {
  const auto server = numeric_address(text, kDnsPort);
  if (!server || conf.nameservers.size() == kMostServers) return;
  // c-ares 1.18 has no room for the interface of a link-local server.
  if (text.find('%') != text.npos && conf.unknown.empty()) conf.unknown = fmt::format("nameserver {}", text);
  conf.nameservers.push_back(*server);
}

bool is_own_name(std::string_view name, std::string_view own_name) {
  const auto short_name = own_name.substr(0, own_name.find('.'));
  return name == own_name || name == short_name || name == "_gateway" || name == "_outbound" || is_localhost(name);
}

}  // namespace

std::string to_lower(std::string_view text) {
  std::string result(text);
  for (auto& c : result) c = lower(c);
  return result;
}

std::string_view without_final_dot(std::string_view name) noexcept {
  return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool is_localhost(std::string_view lower_name) noexcept {
  return lower_name == "localhost" || lower_name.ends_with(".localhost");
}

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  for_each_line(text, "#;", [&conf](std::string_view line) {
    const auto keyword = next_word(line);
    if (keyword == "nameserver") {
      take_nameserver(conf, next_word(line));
    } else if (keyword == "search" || keyword == "domain") {  // the last one counts
      conf.search.clear();
      for (auto word = next_word(line); !word.empty(); word = next_word(line)) {
        const auto domain = without_final_dot(word);
        if (!domain.empty()) conf.search.push_back(to_lower(domain));
      }
      if (keyword == "domain" && conf.search.size() > 1) conf.search.resize(1);
    } else if (keyword == "options") {
      for (auto word = next_word(line); !word.empty(); word = next_word(line)) take_option(conf, word);
    } else if (!keyword.empty() && conf.unknown.empty()) {
      conf.unknown = fmt::format("'{}'", keyword);
    }
  });
  if (conf.nameservers.empty()) conf.nameservers.emplace_back("127.0.0.1", kDnsPort);
  conf.timeout = std::max(conf.timeout, 1);
  conf.attempts = std::max(conf.attempts, 1);
  return conf;
}

Nsswitch parse_nsswitch(std::string_view text) {
  Nsswitch result;
  for_each_line(text, "#", [&result](std::string_view line) {
    if (next_word(line) != "hosts:") return;
    result = Nsswitch();
    result.order.clear();
    bool after_mdns = false;
    for (auto word = next_word(line); !word.empty(); word = next_word(line)) {
      const bool of_mdns = std::exchange(after_mdns, false);
      if (word == "files") result.order.push_back(Nsswitch::Source::files);
      else if (word == "dns") result.order.push_back(Nsswitch::Source::dns);
      else if (word == "myhostname") result.myhostname = true;
      else if (word.starts_with("mdns")) result.mdns = after_mdns = true;
      else if (!(of_mdns && word == "[NOTFOUND=return]") && result.unknown.empty()) result.unknown = word;
    }
  });
  return result;
}

ResolverChoice choose_resolver(const ResolvConf& conf, const Nsswitch& nsswitch, std::string_view host,
                               std::string_view own_name) {
  const auto name = to_lower(without_final_dot(host));
  if (!nsswitch.unknown.empty()) {
    return {true, fmt::format("nsswitch.conf has '{}' for hosts, which c-ares does not know", nsswitch.unknown)};
  }
  if (!conf.unknown.empty()) return {true, fmt::format("resolv.conf has {}, which c-ares does not know", conf.unknown)};
  if (nsswitch.mdns && (host.empty() || name == "local" || name.ends_with(".local"))) {
    return {true, "nsswitch.conf asks mdns for names in .local"};
  }
  if (nsswitch.myhostname && (host.empty() || is_own_name(name, to_lower(own_name)))) {
    return {true, "nsswitch.conf asks myhostname for this machine's names"};
  }
  return {false, "nsswitch.conf and resolv.conf have only what c-ares knows"};
}

Hosts::Hosts(std::string_view text) {
  for_each_line(text, "#", [this](std::string_view line) {
    const auto address = numeric_address(next_word(line), 0);
    if (!address) return;
    for (auto word = next_word(line); !word.empty(); word = next_word(line)) {
      auto name = to_lower(without_final_dot(word));
      if (name.empty()) continue;
      names_.try_emplace(address->host(), name);
      auto& known = addresses_[std::move(name)];
      if (std::find(known.begin(), known.end(), *address) == known.end()) known.push_back(*address);
    }
  });
}

const std::vector<Address>* Hosts::find(const std::string& name) const {
  const auto found = addresses_.find(name);
  return found == addresses_.end() ? nullptr : &found->second;
}

const std::string* Hosts::name_of(const Address& address) const {
  const auto found = names_.find(address.host());
  return found == names_.end() ? nullptr : &found->second;
}

std::vector<Address> parse_nameservers(std::string_view text) {
  std::vector<Address> servers;
  while (!text.empty()) {
    const auto item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    auto host = item;
    std::string_view port_text;
    if (item.starts_with('[')) {
      const auto close = std::min(item.find("]:"), item.size() - 1);
      host = item[close] == ']' ? item.substr(1, close - 1) : std::string_view();
      port_text = item.substr(std::min(close + 2, item.size()));
    } else if (std::count(item.begin(), item.end(), ':') == 1) {
      host = item.substr(0, item.find(':'));
      port_text = item.substr(item.find(':') + 1);
    }
    int port = port_text.empty() ? kDnsPort : 0;
    const auto* end = port_text.data() + port_text.size();
    const bool is_number = port_text.empty() || std::from_chars(port_text.data(), end, port).ptr == end;
    const auto server = is_number && port > 0 && port <= 65535 ? numeric_address(host, port) : std::nullopt;
    if (!server || host.find('%') != host.npos) {
      throw ValueError(fmt::format("nameserver '{}' is none; a numeric address is needed: 10.0.0.1, 10.0.0.1:5353, [::1]:53", item));
    }
    servers.push_back(*server);
  }
  return servers;
}

std::vector<std::string> names_to_ask(std::string_view host, const ResolvConf& conf) {
  const auto name = std::string(without_final_dot(host));
  if (name.size() != host.size()) return {name};
  std::vector<std::string> names;
  for (const auto& domain : conf.search) names.push_back(name + "." + domain);
  const bool first = std::count(name.begin(), name.end(), '.') >= conf.ndots;
  names.insert(first ? names.begin() : names.end(), name);
  std::erase_if(names, [&name](const std::string& full) { return full != name && !why_no_host_name(full).empty(); });
  return names;
}

std::string_view why_no_host_name(std::string_view host) noexcept {
  const auto name = without_final_dot(host);
  if (name.empty()) return "it is empty";
  if (name.size() > 253) return "it is longer than 253 bytes";
  std::size_t label = 0;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || name[i] == '.') {
      if (label == 0) return "a label between dots is empty";
      if (label > 63) return "a label between dots is longer than 63 bytes";
      label = 0;
      continue;
    }
    const auto c = static_cast<unsigned char>(name[i]);
    if (c >= 0x80) return "it has letters beyond ASCII, which a URL's host encodes (IDNA)";
    if (c <= ' ' || c == 0x7f || c == '\\' || c == '"' || c == '(' || c == ')' || c == '@' || c == '/' || c == ':') {
      return "it has characters that no host name has";
    }
    ++label;
  }
  return {};
}

}  // namespace eddy::detail

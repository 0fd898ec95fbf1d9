// SPDX-License-Identifier: MIT
// What a machine's files say about names: resolv.conf(5), nsswitch.conf(5), hosts(5). Text in, values out.
#pragma once

#include <eddy/addresses.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eddy::detail {

struct ResolvConf {
  std::vector<Address> nameservers;  // at most three, as of the C library
  std::vector<std::string> search;
  int ndots = 1;        // names with fewer dots try the search domains first
  int timeout = 5;      // s
  int attempts = 2;
  bool rotate = false;
  bool use_tcp = false;
  std::string unknown;  // the first thing in it that c-ares would not do; empty: none
};
ResolvConf parse_resolv_conf(std::string_view text);

/// The `hosts:` line.
struct Nsswitch {
  enum class Source : std::uint8_t { files, dns };
  std::vector<Source> order{Source::files, Source::dns};
  bool mdns = false;        // answers names in .local only
  bool myhostname = false;  // answers the machine's own names only
  std::string unknown;      // the first thing that may answer any name and is neither files nor dns; empty: none
};
Nsswitch parse_nsswitch(std::string_view text);

/// Who is to be asked for `host`, and why; an empty host: for an address's name. `own_name`: the machine's.
struct ResolverChoice {
  bool system;
  std::string reason;
};
ResolverChoice choose_resolver(const ResolvConf& conf, const Nsswitch& nsswitch, std::string_view host,
                               std::string_view own_name);

class Hosts {
 public:
  Hosts() = default;
  explicit Hosts(std::string_view text);
  /// Of any family, without a port; null: not in it. `name` in lower case, without a dot at its end.
  const std::vector<Address>* find(const std::string& name) const;
  /// The first name of an address; null: not in it.
  const std::string* name_of(const Address& address) const;

 private:
  std::unordered_map<std::string, std::vector<Address>> addresses_;
  std::unordered_map<std::string, std::string> names_;  // by the address's text
};

/// "10.0.0.1,[::1]:5353". Throws ValueError.
std::vector<Address> parse_nameservers(std::string_view text);

/// What to ask for when somebody wants `host`, in this order: itself and the search domains behind it.
std::vector<std::string> names_to_ask(std::string_view host, const ResolvConf& conf);

/// Why no server can know it: "a label is empty"; empty: one can.
std::string_view why_no_host_name(std::string_view host) noexcept;

/// "localhost" and what ends with it: RFC 6761, section 6.3.
bool is_localhost(std::string_view lower_name) noexcept;

std::string to_lower(std::string_view text);
std::string_view without_final_dot(std::string_view name) noexcept;

}  // namespace eddy::detail

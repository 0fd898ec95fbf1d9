// SPDX-License-Identifier: MIT
#include "io/dns_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/dns_order.hpp"
#include "support.hpp"

using eddy::Address;
using namespace eddy::detail;

namespace {

std::string text_of(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) texts.push_back(address.str());
  return fmt::format("{}", fmt::join(texts, " "));
}

std::string text_of(const ResolvConf& conf) {
  return fmt::format("{} | {} | ndots {} timeout {} attempts {}{}{}{}{}", text_of(conf.nameservers), fmt::join(conf.search, " "),
                     conf.ndots, conf.timeout, conf.attempts, conf.rotate ? " rotate" : "", conf.use_tcp ? " tcp" : "",
                     conf.unknown.empty() ? "" : " unknown: ", conf.unknown);
}

// "files dns", "dns +mdns", "files unknown: resolve"
std::string sources(std::string_view text) {
  const auto parsed = parse_nsswitch(text);
  std::string result;
  for (const auto source : parsed.order) result += source == Nsswitch::Source::files ? "files " : "dns ";
  if (parsed.mdns) result += "+mdns ";
  if (parsed.myhostname) result += "+myhostname ";
  if (!parsed.unknown.empty()) result += "unknown: " + parsed.unknown + " ";
  if (!result.empty()) result.pop_back();
  return result;
}

std::string choice(std::string_view resolv_conf, std::string_view nsswitch, std::string_view host) {
  const auto chosen = choose_resolver(parse_resolv_conf(resolv_conf), parse_nsswitch(nsswitch), host, "box.lan");
  return (chosen.system ? "system: " : "c-ares: ") + chosen.reason;
}

}  // namespace

TEST(ResolvConf, HasServersDomainsAndOptions) {
  EXPECT_EQ(text_of(parse_resolv_conf("# a comment\n"
                                      "nameserver 10.0.0.1 # behind\n"
                                      "nameserver\t::1\n"
                                      "domain ignored.example\n"
                                      "search Corp.Example. lan\n"
                                      "options ndots:2 timeout:3 attempts:4 rotate use-vc edns0 trust-ad\n")),
            "10.0.0.1:53 [::1]:53 | corp.example lan | ndots 2 timeout 3 attempts 4 rotate tcp");
}

TEST(ResolvConf, HasDefaultsAndLimits) {
  EXPECT_EQ(text_of(parse_resolv_conf("")), "127.0.0.1:53 |  | ndots 1 timeout 5 attempts 2");
  EXPECT_EQ(text_of(parse_resolv_conf("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n"
                                      "nameserver nonsense\nnameserver\noptions ndots:99 timeout:0 attempts:x timeout:999")),
            "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 |  | ndots 15 timeout 30 attempts 1");
  EXPECT_EQ(text_of(parse_resolv_conf("search a b\ndomain last.example more\n\r\n;x")),
            "127.0.0.1:53 | last.example | ndots 1 timeout 5 attempts 2");
}

TEST(ResolvConf, TellsWhatCAresWouldNotDo) {
  EXPECT_EQ(parse_resolv_conf("options no-aaaa").unknown, "option 'no-aaaa'");
  EXPECT_EQ(parse_resolv_conf("sortlist 10.0.0.0\noptions what").unknown, "'sortlist'");
  EXPECT_EQ(parse_resolv_conf("nameserver fe80::1%lo").unknown, "nameserver fe80::1%lo");
}

TEST(Nsswitch, NamesSourcesInTheirOrder) {
  EXPECT_EQ(sources(""), "files dns");
  EXPECT_EQ(sources("passwd: files systemd\n"), "files dns");
  EXPECT_EQ(sources("hosts:          files dns\nnetworks: files\n"), "files dns");
  EXPECT_EQ(sources("hosts: dns files # both"), "dns files");
  EXPECT_EQ(sources("hosts: files"), "files");
  EXPECT_EQ(sources("hosts:"), "");
  EXPECT_EQ(sources("hosts: files mdns4_minimal [NOTFOUND=return] dns"), "files dns +mdns");
  EXPECT_EQ(sources("hosts: files myhostname dns"), "files dns +myhostname");
  EXPECT_EQ(sources("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns"), "files dns +myhostname unknown: mymachines");
  EXPECT_EQ(sources("hosts: files [NOTFOUND=return] dns"), "files dns unknown: [NOTFOUND=return]");
  EXPECT_EQ(sources("hosts: files ldap dns wins"), "files dns unknown: ldap");
}

TEST(Nsswitch, SendsNamesToWhoKnowsThem) {
  const auto cares = "c-ares: nsswitch.conf and resolv.conf have only what c-ares knows";
  EXPECT_EQ(choice("", "hosts: files dns", "a.test"), cares);
  EXPECT_EQ(choice("", "hosts: files dns", ""), cares);
  EXPECT_EQ(choice("options x", "hosts: files dns", "a.test"), "system: resolv.conf has option 'x', which c-ares does not know");
  EXPECT_EQ(choice("", "hosts: files resolve dns", "a.test"), "system: nsswitch.conf has 'resolve' for hosts, which c-ares does not know");
  const auto mdns = "hosts: files mdns4_minimal [NOTFOUND=return] dns";
  EXPECT_EQ(choice("", mdns, "a.test"), cares);
  EXPECT_EQ(choice("", mdns, "Printer.Local."), "system: nsswitch.conf asks mdns for names in .local");
  EXPECT_EQ(choice("", mdns, ""), "system: nsswitch.conf asks mdns for names in .local");
  const auto own = "hosts: files myhostname dns";
  EXPECT_EQ(choice("", own, "a.test"), cares);
  for (const auto* name : {"BOX", "box.lan", "_gateway", "localhost", "a.localhost."}) {
    EXPECT_EQ(choice("", own, name), "system: nsswitch.conf asks myhostname for this machine's names") << name;
  }
}

TEST(Hosts, KnowAddressesAndNames) {
  const Hosts hosts("127.0.0.1 localhost\n::1\tlocalhost ip6-localhost .\n10.0.0.5 DB.lan db # the database\nnonsense x\n10.0.0.6\n"
                    "10.0.0.7 db.lan\n10.0.0.5 db.lan\n");
  EXPECT_EQ(text_of(*hosts.find("localhost")), "127.0.0.1:0 [::1]:0");
  EXPECT_EQ(text_of(*hosts.find("db.lan")), "10.0.0.5:0 10.0.0.7:0");
  EXPECT_EQ(hosts.find("x"), nullptr);
  EXPECT_EQ(hosts.find(""), nullptr);
  EXPECT_EQ(*hosts.name_of(Address("10.0.0.5", 80)), "db.lan");
  EXPECT_EQ(hosts.name_of(Address("10.0.0.6", 0)), nullptr);
}

TEST(Nameservers, AreNumericAddresses) {
  EXPECT_EQ(text_of(parse_nameservers("10.0.0.1,127.0.0.1:5353,::1,[::1]:54,[fd00::1]")),
            "10.0.0.1:53 127.0.0.1:5353 [::1]:53 [::1]:54 [fd00::1]:53");
  EXPECT_EQ(text_of(parse_nameservers("")), "");
  for (const auto* bad : {"dns.example", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:x", "10.0.0.1:5x", "fe80::1%lo", "[::1", "1.1.1.1,,2.2.2.2"}) {
    EXPECT_THROW(static_cast<void>(parse_nameservers(bad)), eddy::ValueError) << bad;
  }
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(parse_nameservers("1.1.1.1,dns.example"))),
            "nameserver 'dns.example' is none; a numeric address is needed: 10.0.0.1, 10.0.0.1:5353, [::1]:53");
}

TEST(NamesToAsk, FollowSearchDomainsAndDots) {
  const auto conf = parse_resolv_conf("search corp.example lan\noptions ndots:2");
  auto names = [&conf](std::string_view host) { return fmt::format("{}", fmt::join(names_to_ask(host, conf), " ")); };
  EXPECT_EQ(names("db"), "db.corp.example db.lan db");
  EXPECT_EQ(names("db.eu"), "db.eu.corp.example db.eu.lan db.eu");
  EXPECT_EQ(names("a.b.c"), "a.b.c a.b.c.corp.example a.b.c.lan");
  EXPECT_EQ(names("db."), "db");
  const std::string long_name(62, 'x');
  const auto almost = fmt::format("{0}.{0}.{0}.{0}", long_name);  // 251 bytes: no domain has room behind it
  EXPECT_EQ(names(almost), almost);
}

TEST(HostNames, HaveLimits) {
  const std::string label(63, 'x');
  EXPECT_EQ(why_no_host_name("a.b-c_d.example."), "");
  EXPECT_EQ(why_no_host_name(label + "." + label + "." + label + "." + label.substr(2)), "");
  EXPECT_EQ(why_no_host_name(label + "." + label + "." + label + "." + label), "it is longer than 253 bytes");
  EXPECT_EQ(why_no_host_name(label + "x.example"), "a label between dots is longer than 63 bytes");
  EXPECT_EQ(why_no_host_name("a..b"), "a label between dots is empty");
  EXPECT_EQ(why_no_host_name(".a"), "a label between dots is empty");
  EXPECT_EQ(why_no_host_name("."), "it is empty");
  EXPECT_EQ(why_no_host_name("a b"), "it has characters that no host name has");
  EXPECT_EQ(why_no_host_name("a\\046b"), "it has characters that no host name has");
  EXPECT_EQ(why_no_host_name("b\xc3\xbc"), "it has letters beyond ASCII, which a URL's host encodes (IDNA)");
}

TEST(AddressOrder, FollowsRfc6724) {
  auto order = [](std::vector<std::pair<std::string, std::string>> pairs) {
    std::vector<Destination> destinations;
    for (const auto& [to, from] : pairs) destinations.push_back({Address(to, 0), from.empty() ? Address() : Address(from, 0)});
    order_destinations(destinations);
    std::string text;
    for (const auto& destination : destinations) text += (text.empty() ? "" : " ") + destination.address.host();
    return text;
  };
  // Section 10.2, as far as its examples are about these rules.
  EXPECT_EQ(order({{"198.51.100.121", "198.51.100.117"}, {"2001:db8:1::1", "2001:db8:1::2"}}), "2001:db8:1::1 198.51.100.121");
  EXPECT_EQ(order({{"2001:db8:1::1", "fe80::1"}, {"198.51.100.121", "198.51.100.117"}}), "198.51.100.121 2001:db8:1::1");
  EXPECT_EQ(order({{"10.1.2.3", "10.1.2.4"}, {"2001:db8:1::1", ""}}), "10.1.2.3 2001:db8:1::1");
  EXPECT_EQ(order({{"2002:c633:6401::1", "2002:c633:6401::2"}, {"2001:db8:1::1", "2002:c633:6401::2"}}),
            "2002:c633:6401::1 2001:db8:1::1");
  EXPECT_EQ(order({{"2001:db8:1::1", "2001:db8:1::2"}, {"fe80::1", "fe80::2"}}), "fe80::1 2001:db8:1::1");
  EXPECT_EQ(order({{"2001:db8:2::1", "2001:db8:1::2"}, {"2001:db8:1::1", "2001:db8:1::2"}}), "2001:db8:1::1 2001:db8:2::1");
  EXPECT_EQ(order({{"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}}), "::1 127.0.0.1");
  EXPECT_EQ(order({{"10.0.0.2", "10.0.0.9"}, {"10.0.0.1", "10.0.0.9"}}), "10.0.0.2 10.0.0.1");  // as they came
  EXPECT_EQ(order({{"fd00::1", "fd00::2"}, {"203.0.113.1", "203.0.113.2"}}), "203.0.113.1 fd00::1");
}

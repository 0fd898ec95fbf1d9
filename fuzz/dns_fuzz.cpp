// SPDX-License-Identifier: MIT
// Names: answers of servers, and the files that say whom to ask. The first byte says which.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "invariant.hpp"
#include "io/dns_config.hpp"
#include "io/dns_message.hpp"

using namespace eddy::detail;

namespace {

void check_answer(std::span<const unsigned char> message, RecordType type) {
  const auto answer = read_answer(message, "a.test", type);
  const bool found = answer.kind == DnsAnswer::Kind::found;
  require(found == (!answer.addresses.empty() || !answer.names.empty()), "found is what there is");
  require(!found || answer.ttl.has_value(), "what is found has a time to live");
  require(answer.is_definite() == answer.failure.empty(), "a failure says why");
}

void check_files(std::string_view text) {
  const auto conf = parse_resolv_conf(text);
  require(!conf.nameservers.empty() && conf.nameservers.size() <= 3, "one to three servers");
  require(conf.ndots >= 0 && conf.timeout > 0 && conf.attempts > 0, "numbers within their limits");
  const auto nsswitch = parse_nsswitch(text);
  for (const auto host : {text, std::string_view("a.test"), std::string_view()}) {
    require(!choose_resolver(conf, nsswitch, host, "box.lan").reason.empty(), "a choice has a reason");
  }
  const Hosts hosts(text);
  require(hosts.find("") == nullptr, "no host is without a name");
  if (!why_no_host_name(text).empty()) return;
  for (const auto& name : names_to_ask(to_lower(text), conf)) require(why_no_host_name(name).empty(), "only names are asked for");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::unique_ptr<unsigned char[]> exact(new unsigned char[size - 1]);  // so that reading behind it is seen
  std::copy_n(data + 1, size - 1, exact.get());
  switch (data[0] % 4) {
    case 0: check_answer({exact.get(), size - 1}, RecordType::a); break;
    case 1: check_answer({exact.get(), size - 1}, RecordType::aaaa); break;
    case 2: check_answer({exact.get(), size - 1}, RecordType::ptr); break;
    default: check_files({reinterpret_cast<const char*>(exact.get()), size - 1});
  }
  return 0;
}

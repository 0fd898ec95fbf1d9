// SPDX-License-Identifier: MIT
// What a server's answer says. Bytes in, values out: RFC 1035, section 4, and RFC 2308 for "no such name".
#pragma once

#include <eddy/addresses.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::detail {

enum class RecordType : std::uint16_t { a = 1, soa = 6, ptr = 12, aaaa = 28 };

struct DnsAnswer {
  enum class Kind : std::uint8_t {
    found,
    no_data,  // the name exists and has no record of this type
    no_name,
    refused,  // the server answers that it cannot answer
    failed,   // there is no answer that can be read
  };
  Kind kind = Kind::failed;
  std::vector<Address> addresses;    // found: without ports
  std::vector<std::string> names;    // found, of a PTR question
  std::optional<std::uint32_t> ttl;  // s; of no_data and no_name: the SOA record's, if there is one
  std::string failure;               // refused, failed: "server failure (SERVFAIL)"

  bool is_definite() const noexcept { return kind < Kind::refused; }
  static DnsAnswer failed_with(std::string why) {
    DnsAnswer answer;
    answer.failure = std::move(why);
    return answer;
  }
};

/// `name`: what was asked for.
DnsAnswer read_answer(std::span<const unsigned char> message, std::string_view name, RecordType type);

/// "4.3.2.1.in-addr.arpa": where the name of an address stands.
std::string reverse_name(const Address& address);

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// The addresses are c-ares's to read, which follows the aliases. The walk through the records finds what it does not
// tell: the question, the SOA record of a negative answer, the TTL of names.
#include "io/dns_message.hpp"

#include <arpa/inet.h>
#include <ares.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace eddy::detail {
namespace {

using Message = std::span<const unsigned char>;
constexpr std::size_t kHeader = 12;
constexpr const char* kUnreadable = "an answer that cannot be read";

unsigned two_bytes(Message message, std::size_t at) noexcept { return static_cast<unsigned>(message[at] << 8 | message[at + 1]); }
std::uint32_t four_bytes(Message message, std::size_t at) noexcept {
  return std::uint32_t{two_bytes(message, at)} << 16 | two_bytes(message, at + 2);
}

/// The place behind the name at `at`; 0: the message ends in it.
std::size_t skip_name(Message message, std::size_t at) noexcept {
  while (at < message.size()) {
    const unsigned length = message[at];
    if (length == 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= message.size() ? at + 2 : 0;
    if (length >= 0x40) return 0;
    at += 1 + length;
  }
  return 0;
}

std::optional<std::string> expand_name(Message message, std::size_t at) {
  char* text = nullptr;
  long length = 0;
  if (::ares_expand_name(message.data() + at, message.data(), static_cast<int>(message.size()), &text, &length) != ARES_SUCCESS) {
    return std::nullopt;
  }
  const std::unique_ptr<char, void (*)(void*)> owner(text, &::ares_free_string);
  return std::string(text);
}

struct Record {
  unsigned type;
  std::uint32_t ttl;
  std::size_t data, size;
};
/// The record at `at`, which is moved behind it.
std::optional<Record> next_record(Message message, std::size_t& at) noexcept {
  const auto fields = skip_name(message, at);
  if (fields == 0 || fields + 10 > message.size()) return std::nullopt;
  const Record record{two_bytes(message, fields), four_bytes(message, fields + 4), fields + 10, two_bytes(message, fields + 8)};
  if (record.data + record.size > message.size()) return std::nullopt;
  at = record.data + record.size;
  return record;
}

bool is_same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return x == y || ((x ^ y) == 0x20 && (x | 0x20) >= 'a' && (x | 0x20) <= 'z');
  });
}

/// RFC 2308, section 5: the smaller of the record's TTL and its last field.
std::optional<std::uint32_t> negative_ttl(Message message, std::size_t at, unsigned records) noexcept {
  while (records-- > 0) {
    const auto record = next_record(message, at);
    if (!record) return std::nullopt;
    if (record->type == static_cast<unsigned>(RecordType::soa) && record->size >= 4) {
      return std::min(record->ttl, four_bytes(message, record->data + record->size - 4));
    }
  }
  return std::nullopt;
}

// A TTL with the highest bit set counts as 0: RFC 2181, section 8.
std::uint32_t ttl_of(int ttl) noexcept { return ttl > 0 ? static_cast<std::uint32_t>(ttl) : 0; }
void shorten(DnsAnswer& answer, std::uint32_t ttl) { answer.ttl = std::min(answer.ttl.value_or(ttl), ttl); }

constexpr int kMostAddresses = 256;

void read_addresses(DnsAnswer& answer, Message message) {
  std::array<ares_addrttl, kMostAddresses> found;
  int count = kMostAddresses;
  const int size = static_cast<int>(message.size());
  const int status = ::ares_parse_a_reply(message.data(), size, nullptr, found.data(), &count);
  if (status == ARES_ENODATA) return;
  if (status != ARES_SUCCESS) return void(answer = DnsAnswer::failed_with(kUnreadable));
  for (int i = 0; i < count; ++i) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr = found[static_cast<std::size_t>(i)].ipaddr;
    answer.addresses.push_back(Address::from_data(&address, sizeof address));
    shorten(answer, ttl_of(found[static_cast<std::size_t>(i)].ttl));
  }
}

void read_v6_addresses(DnsAnswer& answer, Message message) {
  std::array<ares_addr6ttl, kMostAddresses> found;
  int count = kMostAddresses;
  const int size = static_cast<int>(message.size());
  const int status = ::ares_parse_aaaa_reply(message.data(), size, nullptr, found.data(), &count);
  if (status == ARES_ENODATA) return;
  if (status != ARES_SUCCESS) return void(answer = DnsAnswer::failed_with(kUnreadable));
  for (int i = 0; i < count; ++i) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, &found[static_cast<std::size_t>(i)].ip6addr, sizeof address.sin6_addr);
    answer.addresses.push_back(Address::from_data(&address, sizeof address));
    shorten(answer, ttl_of(found[static_cast<std::size_t>(i)].ttl));
  }
}

void read_names(DnsAnswer& answer, Message message, std::size_t at, unsigned records) {
  while (records-- > 0) {
    const auto record = next_record(message, at);
    if (!record) return void(answer = DnsAnswer::failed_with(kUnreadable));
    if (record->type != static_cast<unsigned>(RecordType::ptr)) continue;
    if (auto name = expand_name(message, record->data)) answer.names.push_back(std::move(*name));
    shorten(answer, ttl_of(static_cast<int>(record->ttl)));
  }
}

std::string code_text(unsigned code) {
  constexpr const char* kNames[] = {"", "malformed question (FORMERR)", "server failure (SERVFAIL)", "",
                                    "not implemented (NOTIMP)", "refused (REFUSED)"};
  return code < std::size(kNames) ? kNames[code] : fmt::format("response code {}", code);
}

}  // namespace

DnsAnswer read_answer(Message message, std::string_view name, RecordType type) {
  constexpr unsigned kNoSuchName = 3;
  if (message.size() < kHeader) return DnsAnswer::failed_with(kUnreadable);
  DnsAnswer answer;
  const unsigned code = message[3] & 15u;
  if (code != 0 && code != kNoSuchName) {
    answer = DnsAnswer::failed_with(code_text(code));
    answer.kind = DnsAnswer::Kind::refused;
    return answer;
  }
  const auto records = two_bytes(message, 6);
  const auto question = skip_name(message, kHeader);
  if (two_bytes(message, 4) != 1 || question == 0 || question + 4 > message.size()) return DnsAnswer::failed_with(kUnreadable);
  const auto asked = expand_name(message, kHeader);
  if (!asked || !is_same_name(*asked, name) || two_bytes(message, question) != static_cast<unsigned>(type)) {
    return DnsAnswer::failed_with("an answer to another question");
  }
  answer.kind = code == kNoSuchName ? DnsAnswer::Kind::no_name : DnsAnswer::Kind::no_data;
  auto at = question + 4;
  if (code == 0 && records > 0) {
    if (type == RecordType::a) read_addresses(answer, message);
    else if (type == RecordType::aaaa) read_v6_addresses(answer, message);
    else read_names(answer, message, at, records);
    if (!answer.addresses.empty() || !answer.names.empty()) answer.kind = DnsAnswer::Kind::found;
  }
  if (answer.kind != DnsAnswer::Kind::no_data && answer.kind != DnsAnswer::Kind::no_name) return answer;
  for (unsigned i = 0; i < records; ++i) {
    if (!next_record(message, at)) return DnsAnswer::failed_with(kUnreadable);
  }
  answer.ttl = negative_ttl(message, at, two_bytes(message, 8));
  return answer;
}

std::string reverse_name(const Address& address) {
  std::string name;
  if (address.family() == AF_INET) {
    std::array<unsigned char, 4> bytes;
    std::memcpy(bytes.data(), &static_cast<const sockaddr_in*>(address.data())->sin_addr, bytes.size());
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
  }
  std::array<unsigned char, 16> bytes;
  std::memcpy(bytes.data(), &static_cast<const sockaddr_in6*>(address.data())->sin6_addr, bytes.size());
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) name += fmt::format("{:x}.{:x}.", *byte & 15, *byte >> 4);
  return name + "ip6.arpa";
}

}  // namespace eddy::detail

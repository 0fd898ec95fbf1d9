// SPDX-License-Identifier: MIT
#include "http/url/host.hpp"

#include <eddy/http/percent.hpp>
#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "http/ascii.hpp"
#include "http/url/percent_sets.hpp"

namespace eddy::http {
namespace {

constexpr std::string_view kForbiddenRule = "the host holds a character that no host may hold";
constexpr std::string_view kIpv4Rule = "the host ends in a number but is no IPv4 address";
constexpr std::string_view kIpv6Rule = "the host in brackets is no IPv6 address";
constexpr std::string_view kIdnaRule = "the host is no valid internationalised domain name";

bool is_forbidden(char c) noexcept {
  return c == '\0' || std::string_view("\t\n\r #/:<>?@[\\]^|").find(c) != std::string_view::npos;
}
bool is_forbidden_in_domain(char c) noexcept {
  return is_forbidden(c) || static_cast<unsigned char>(c) < 0x20 || c == '%' || c == 0x7f;
}

// "0x1f", "017", "31"; nothing if it is no number. Numbers past 2^32 all give 2^32.
std::optional<std::uint64_t> ipv4_number(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  int base = 10;
  if (text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() >= 2 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  for (char c : text) {
    const int digit = ascii::hex_value(c);
    if (digit < 0 || digit >= base) return std::nullopt;
    value = std::min<std::uint64_t>(value * static_cast<unsigned>(base) + static_cast<unsigned>(digit),
                                    1ULL << 32);
  }
  return value;
}

bool ends_in_number(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto dot = host.rfind('.');
  const auto last = host.substr(dot == std::string_view::npos ? 0 : dot + 1);
  if (last.empty()) return false;
  return std::all_of(last.begin(), last.end(), ascii::is_digit) || ipv4_number(last).has_value();
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) noexcept {
  if (text.ends_with('.')) text.remove_suffix(1);
  std::uint64_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const auto dot = text.find('.');
    const auto value = ipv4_number(text.substr(0, dot));
    if (!value) return std::nullopt;
    const int left = 4 - part;
    if (dot == std::string_view::npos) {  // the last part fills all bytes that are left
      if (*value >= 1ULL << (8 * left)) return std::nullopt;
      return static_cast<std::uint32_t>(address << (8 * left) | *value);
    }
    if (*value > 255) return std::nullopt;
    address = address << 8 | *value;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;  // a fifth part
}

// The dotted end of an IPv6 address: exactly four decimal numbers without leading zeros.
std::optional<std::uint32_t> dotted_quad(std::string_view text) noexcept {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && ascii::is_digit(text[digits])) {
      value = value * 10 + static_cast<unsigned>(text[digits] - '0');
      if (value > 255 || (digits > 0 && text[0] == '0')) return std::nullopt;
      ++digits;
    }
    if (digits == 0) return std::nullopt;
    address = address << 8 | value;
    text.remove_prefix(digits);
    if (part == 3) break;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
  return text.empty() ? std::optional(address) : std::nullopt;
}

using Ipv6 = std::array<std::uint16_t, 8>;

std::optional<Ipv6> parse_ipv6(std::string_view text) noexcept {
  Ipv6 address{};
  std::size_t count = 0;
  std::optional<std::size_t> gap;
  if (text.starts_with(':')) {
    if (!text.starts_with("::")) return std::nullopt;
    text.remove_prefix(2);
    gap = 0;
  }
  while (!text.empty()) {
    if (count == 8) return std::nullopt;
    if (text.front() == ':') {
      if (gap) return std::nullopt;
      text.remove_prefix(1);
      gap = count;
      continue;
    }
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < 4 && digits < text.size() && ascii::hex_value(text[digits]) >= 0)
      value = value * 16 + static_cast<unsigned>(ascii::hex_value(text[digits++]));
    if (digits < text.size() && text[digits] == '.') {
      const auto quad = digits > 0 && count <= 6 ? dotted_quad(text) : std::nullopt;
      if (!quad) return std::nullopt;
      address[count++] = static_cast<std::uint16_t>(*quad >> 16);
      address[count++] = static_cast<std::uint16_t>(*quad);
      break;
    }
    if (digits == 0) return std::nullopt;
    address[count++] = static_cast<std::uint16_t>(value);
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (text.front() != ':' || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  if (!gap) return count == 8 ? std::optional(address) : std::nullopt;
  if (count == 8) return std::nullopt;
  std::move_backward(address.begin() + static_cast<std::ptrdiff_t>(*gap),
                     address.begin() + static_cast<std::ptrdiff_t>(count), address.end());
  std::fill_n(address.begin() + static_cast<std::ptrdiff_t>(*gap), 8 - count, std::uint16_t{0});
  return address;
}

// The longest run of at least two zero pieces, the first of equals, becomes "::".
std::string ipv6_text(const Ipv6& address) {
  std::size_t longest = 0, length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && address[end] == 0) ++end;
    if (end - i > length) longest = i, length = end - i;
    i = end + 1;
  }
  std::string text = "[";
  for (std::size_t i = 0; i < 8; ++i) {
    if (length > 1 && i == longest) {
      text += i == 0 ? "::" : ":";
      i += length - 1;
      continue;
    }
    text += fmt::format("{:x}", address[i]);
    if (i != 7) text += ':';
  }
  return text + ']';
}

bool needs_idna(std::string_view domain) noexcept {
  for (char c : domain)
    if (static_cast<unsigned char>(c) >= 0x80) return true;
  for (std::size_t at = 0; at < domain.size();) {
    if (ascii::equal_ignoring_case(domain.substr(at, 4), "xn--")) return true;
    at = std::min(domain.find('.', at), domain.size() - 1) + 1;
  }
  return false;
}

ParsedHost to_ascii(std::string domain) {
  if (!needs_idna(domain)) return {ascii::lowered(domain), {}};
  if (domain.find('\0') != std::string::npos) return {{}, kForbiddenRule};
  char* converted = nullptr;
  const int outcome = idn2_to_ascii_8z(domain.c_str(), &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> owner(converted, idn2_free);
  if (outcome != IDN2_OK) return {{}, kIdnaRule};
  return {ascii::lowered(converted), {}};
}

ParsedHost parse_domain(std::string_view text) {
  ParsedHost host =
      to_ascii(text.find('%') == std::string_view::npos ? std::string(text) : percent_decode(text));
  if (!host.broken_rule.empty()) return host;
  if (host.text.empty()) return {{}, "the host is empty"};
  if (std::any_of(host.text.begin(), host.text.end(), is_forbidden_in_domain)) return {{}, kForbiddenRule};
  if (!ends_in_number(host.text)) return host;
  const auto address = parse_ipv4(host.text);
  if (!address) return {{}, kIpv4Rule};
  return {
      fmt::format("{}.{}.{}.{}", *address >> 24, *address >> 16 & 255, *address >> 8 & 255, *address & 255),
      {}};
}

}  // namespace

ParsedHost parse_host(std::string_view text, bool special) {
  if (text.starts_with('[')) {
    const auto address = text.ends_with(']') ? parse_ipv6(text.substr(1, text.size() - 2)) : std::nullopt;
    return address ? ParsedHost{ipv6_text(*address), {}} : ParsedHost{{}, kIpv6Rule};
  }
  if (special) return parse_domain(text);
  if (std::any_of(text.begin(), text.end(), is_forbidden)) return {{}, kForbiddenRule};
  ParsedHost host;
  percent::append(host.text, text, percent::kControl);
  return host;
}

}  // namespace eddy::http

// SPDX-License-Identifier: MIT
#include <eddy/http/negotiation.hpp>

#include <fmt/format.h>

#include <algorithm>

#include "http/ascii.hpp"

namespace eddy::http {
namespace {

constexpr std::size_t kMostRanges = 16;

// "0.8" in thousandths; a damaged weight counts as 0.
int weight(std::string_view parameters) noexcept {
  while (!parameters.empty()) {
    auto parameter = ascii::take_until(parameters, ';');
    if (!ascii::equal_ignoring_case(ascii::take_until(parameter, '='), "q")) continue;
    const auto text = ascii::trimmed(parameter);
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
    if (text.size() > 1 && text[1] != '.') return 0;
    int value = (text[0] - '0') * 1000, unit = 100;
    for (char c : text.substr(std::min<std::size_t>(2, text.size()))) {
      if (!ascii::is_digit(c)) return 0;
      value += (c - '0') * unit;
      unit /= 10;
    }
    return std::min(value, 1000);
  }
  return 1000;
}

struct Liking {
  int own = -1, star = -1;  // -1: not named
  int value(int otherwise) const noexcept { return own >= 0 ? own : star >= 0 ? star : otherwise; }
};

Liking liking(std::string_view field, std::string_view coding) noexcept {
  Liking found;
  while (!field.empty()) {
    auto item = ascii::take_until(field, ',');
    const auto name = ascii::take_until(item, ';');
    const bool alias = coding == "gzip" && ascii::equal_ignoring_case(name, "x-gzip");
    if (name == "*") found.star = weight(item);
    else if (alias || ascii::equal_ignoring_case(name, coding)) found.own = weight(item);
  }
  return found;
}

std::string_view opaque(std::string_view etag) noexcept {
  etag = ascii::trimmed(etag);
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

std::optional<std::uint64_t> number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (!ascii::is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

bool overlap(const std::vector<ByteRange>& ranges) noexcept {
  for (std::size_t i = 0; i < ranges.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (ranges[i].first < ranges[j].first + ranges[j].length &&
          ranges[j].first < ranges[i].first + ranges[i].length)
        return true;
  return false;
}

}  // namespace

std::optional<std::string_view> choose_coding(std::string_view accept_encoding,
                                              std::span<const std::string_view> offered) {
  std::string_view best;
  int best_weight = 0;
  for (const auto coding : offered) {
    const int its = liking(accept_encoding, coding).value(0);
    if (its > best_weight) best = coding, best_weight = its;
  }
  const Liking plain = liking(accept_encoding, "identity");
  // Not named, identity is acceptable but wanted least, so that "gzip" alone means gzip.
  if (best_weight > 0 && best_weight >= plain.own) return best;
  if (plain.value(1) > 0) return "identity";
  return best_weight > 0 ? std::optional(best) : std::nullopt;
}

bool strong_match(std::string_view a, std::string_view b) noexcept {
  a = ascii::trimmed(a), b = ascii::trimmed(b);
  return a == b && !a.empty() && !a.starts_with("W/");
}

bool weak_match(std::string_view a, std::string_view b) noexcept {
  return !opaque(a).empty() && opaque(a) == opaque(b);
}

bool lists_etag(std::string_view field, std::string_view etag) noexcept {
  field = ascii::trimmed(field);
  if (field == "*") return true;
  while (!field.empty()) {  // tags are quoted and may hold commas
    const auto open = field.find('"');
    if (open == std::string_view::npos) return false;
    const auto close = field.find('"', open + 1);
    if (close == std::string_view::npos) return false;
    if (field.substr(open, close - open + 1) == opaque(etag)) return true;
    field.remove_prefix(close + 1);
  }
  return false;
}

RangeRequest parse_range(std::string_view field, std::uint64_t size) {
  field = ascii::trimmed(field);
  if (field.size() < 6 || !ascii::equal_ignoring_case(field.substr(0, 6), "bytes=")) return {};
  field.remove_prefix(6);
  RangeRequest request{RangeRequest::Outcome::partial, {}};
  std::size_t asked = 0;
  do {
    const auto piece = ascii::take_until(field, ',');
    const auto dash = piece.find('-');
    if (dash == std::string_view::npos || ++asked > kMostRanges) return {};
    const auto first = number(piece.substr(0, dash)), last = number(piece.substr(dash + 1));
    const bool open_end = dash + 1 == piece.size(), suffix = dash == 0;
    if ((!first && !suffix) || (!last && !open_end) || (suffix && open_end)) return {};
    if (suffix) {
      const auto length = std::min(*last, size);
      if (length != 0) request.ranges.push_back({size - length, length});
      continue;
    }
    if (last && *last < *first) return {};
    if (*first < size)
      request.ranges.push_back({*first, std::min(last.value_or(size - 1), size - 1) - *first + 1});
  } while (!field.empty());
  if (request.ranges.empty()) return {RangeRequest::Outcome::unsatisfiable, {}};
  if (request.ranges.size() > 2 && overlap(request.ranges)) return {};
  return request;
}

std::string content_range(ByteRange range, std::uint64_t size) {
  return fmt::format("bytes {}-{}/{}", range.first, range.first + range.length - 1, size);
}

}  // namespace eddy::http

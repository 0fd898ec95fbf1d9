// SPDX-License-Identifier: MIT
#include <eddy/http/percent.hpp>

#include "http/ascii.hpp"
#include "http/url/percent_sets.hpp"

namespace eddy::http {
namespace {

void append_decoded(std::string& out, std::string_view text, bool plus_is_space) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? ascii::hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? ascii::hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_decoded(out, text, false);
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr auto kSet = percent::with(percent::kComponent, "!'()*");
  std::string out;
  percent::append(out, text, kSet);
  return out;
}

std::string form_encode(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ' ') out += '+';
    else if (percent::kForm[static_cast<unsigned char>(c)]) percent::append_byte(out, c);
    else out += c;
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const auto piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (piece.empty()) continue;
    const auto equals = std::min(piece.find('='), piece.size());
    auto& [name, value] = pairs.emplace_back();
    append_decoded(name, piece.substr(0, equals), true);
    if (equals != piece.size()) append_decoded(value, piece.substr(equals + 1), true);
  }
  return pairs;
}

}  // namespace eddy::http

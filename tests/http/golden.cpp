// SPDX-License-Identifier: MIT
#include "http/golden.hpp"

#include <charconv>
#include <fstream>
#include <stdexcept>

namespace eddy::http::test {
namespace {

std::size_t number(std::string_view text, int base) {
  std::size_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value, base).ec != std::errc())
    throw std::runtime_error("golden case: no number in '" + std::string(text) + "'");
  return value;
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') continue;
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    switch (text.at(++i)) {
      case 'r': bytes += '\r'; break;
      case 'n': bytes += '\n'; break;
      case 't': bytes += '\t'; break;
      case '\\': bytes += '\\'; break;
      case 'x':
        bytes += static_cast<char>(number(text.substr(i + 1, 2), 16));
        i += 2;
        break;
      case '{': {
        const auto star = text.find('*', i), close = text.find('}', star);
        const std::string unit = unescape(text.substr(star + 1, close - star - 1));
        for (std::size_t n = number(text.substr(i + 1, star - i - 1), 10); n > 0; --n) bytes += unit;
        i = close;
        break;
      }
      default: throw std::runtime_error("golden case: unknown escape in '" + std::string(text) + "'");
    }
  }
  return bytes;
}

std::string escape(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') text += "\\r";
    else if (c == '\n') text += "\\n";
    else if (c == '\t') text += "\\t";
    else if (c == '\\') text += "\\\\";
    else if (byte >= 0x20 && byte < 0x7f) text += c;
    else (text += "\\x") += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

std::vector<GoldenCase> read_golden(std::string_view name) {
  const std::string path = EDDY_SOURCE_DIR "/tests/http/" + std::string(name);
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<GoldenCase> cases;
  std::string fact, fence, block;
  for (std::string line; std::getline(file, line);) {
    if (fence.empty()) {
      if (line.starts_with("## ")) fact = line.substr(3);
      if (line.starts_with("```")) fence = line.substr(3), block.clear();
    } else if (line != "```") {
      block += line + "\n";
    } else if (fence == "events") {
      cases.back().expected = block;
      fence.clear();
    } else {
      const auto space = std::min(fence.find(' '), fence.size());
      const auto options = space == fence.size() ? std::string() : fence.substr(space + 1);
      cases.push_back({fact, fence.substr(0, space), options, unescape(block), {}});
      fence.clear();
    }
  }
  return cases;
}

}  // namespace eddy::http::test

// SPDX-License-Identifier: MIT
// The first byte chooses the charset, the rest is text in it.
#include <eddy/charset.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

constexpr std::array<std::string_view, 14> kLabels{
    "utf-8",  "utf-16", "utf-16le",  "utf-16be",     "gbk",    "gb18030",      "big5",
    "euc-jp", "euc-kr", "shift_jis", "windows-1252", "koi8-r", "windows-1253", "iso-8859-7"};

void require(bool fact) {
  if (!fact) std::abort();
}

std::optional<std::string> strictly(std::string_view bytes, std::string_view label) {
  try {
    return eddy::decode(bytes, label);
  } catch (const eddy::UnicodeDecodeError& error) {
    require(!error.bytes().empty());
    require(bytes.substr(error.offset(), error.bytes().size()) == error.bytes());
    return std::nullopt;
  }
}

bool is_utf8(std::string_view text) { return strictly(text, "utf-8").has_value(); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto label = kLabels[data[0] % kLabels.size()];
  const auto ignored = eddy::decode(bytes, label, eddy::OnError::ignore);
  const auto replaced = eddy::decode(bytes, label, eddy::OnError::replace);
  require(is_utf8(ignored) && is_utf8(replaced));
  const auto strict = strictly(bytes, label);
  require(strict.has_value() == (ignored.size() == replaced.size()));
  if (strict) require(*strict == ignored && *strict == replaced);
  // Text made of a charset's characters can be written in it, and reads the same (but for pairs of two
  // characters).
  const auto written = eddy::encode(ignored, label, eddy::OnError::ignore);
  if (label != "big5") require(eddy::decode(written, label) == ignored);
  const auto sniffed = eddy::sniff_charset(bytes);
  require(sniffed.charset.empty() || eddy::charset_name(sniffed.charset) == sniffed.charset);
  require(sniffed.mark_length <= bytes.size());
  require(is_utf8(eddy::decode_page(bytes)));
  return 0;
}

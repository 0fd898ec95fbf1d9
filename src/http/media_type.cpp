// SPDX-License-Identifier: MIT
#include <eddy/http/media_type.hpp>

#include <algorithm>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

struct Ending {
  std::string_view name, type;
};

// Sorted by name.
constexpr Ending kEndings[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"atom", "application/atom+xml; charset=utf-8"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"eot", "application/vnd.ms-fontobject"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"rss", "application/rss+xml; charset=utf-8"},
    {"rtf", "application/rtf"},
    {"svg", "image/svg+xml; charset=utf-8"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ts", "video/mp2t"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml; charset=utf-8"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};
static_assert(std::is_sorted(std::begin(kEndings), std::end(kEndings),
                             [](const Ending& a, const Ending& b) { return a.name < b.name; }));

bool is_token(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  return !text.empty() && scan::past_token(text.data(), end) == end;
}

// Takes a quoted string (behind its opening quote) off the front of `rest`.
std::string take_quoted(std::string_view& rest) {
  std::string value;
  std::size_t i = 0;
  for (; i < rest.size() && rest[i] != '"'; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    value += rest[i];
  }
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return value;
}

}  // namespace

std::string_view MediaType::parameter(std::string_view name) const noexcept {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return {};
}

std::optional<MediaType> parse_media_type(std::string_view text) {
  const auto essence = ascii::take_until(text, ';');
  const auto slash = essence.find('/');
  if (slash == std::string_view::npos || !is_token(essence.substr(0, slash)) ||
      !is_token(essence.substr(slash + 1)))
    return std::nullopt;
  MediaType type{ascii::lowered(essence), {}};
  while (!text.empty()) {
    const auto mark = std::min(text.find_first_of(";="), text.size());
    const auto name = ascii::lowered(ascii::trimmed(text.substr(0, mark)));
    const bool has_value = mark < text.size() && text[mark] == '=';
    text.remove_prefix(std::min(mark + 1, text.size()));
    if (!has_value) continue;
    std::string value;
    if (text.starts_with('"')) {
      text.remove_prefix(1);
      value = take_quoted(text);
      ascii::take_until(text, ';');  // what stands behind the quotes means nothing
    } else {
      value = ascii::take_until(text, ';');
      if (value.empty()) continue;
    }
    const char* value_end = value.data() + value.size();
    if (!is_token(name) || scan::past_value(value.data(), value_end) != value_end) continue;
    if (std::none_of(type.parameters.begin(), type.parameters.end(),
                     [&](const auto& p) { return p.first == name; }))
      type.parameters.emplace_back(name, std::move(value));
  }
  return type;
}

std::string_view media_type_of_file(std::string_view path) noexcept {
  constexpr std::string_view kUnknown = "application/octet-stream";
  const auto name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  const auto dot = name.rfind('.');
  char lower[12];
  if (dot == std::string_view::npos || name.size() - dot - 1 > sizeof lower) return kUnknown;
  std::transform(name.begin() + static_cast<std::ptrdiff_t>(dot) + 1, name.end(), lower, ascii::lower);
  const std::string_view ending(lower, name.size() - dot - 1);
  const auto* at = std::lower_bound(std::begin(kEndings), std::end(kEndings), ending,
                                    [](const Ending& e, std::string_view s) { return e.name < s; });
  return at != std::end(kEndings) && at->name == ending ? at->type : kUnknown;
}

bool is_compressible(std::string_view content_type) noexcept {
  const auto type = ascii::take_until(content_type, ';');
  const auto ends = [type](std::string_view end) {
    return type.size() >= end.size() &&
           ascii::equal_ignoring_case(type.substr(type.size() - end.size()), end);
  };
  return ascii::equal_ignoring_case(type.substr(0, 5), "text/") || ends("json") || ends("xml") ||
         ends("javascript") || ends("/wasm") || ends("/ttf") || ends("/otf") || ends("/yaml");
}

}  // namespace eddy::http

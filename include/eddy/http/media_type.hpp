// SPDX-License-Identifier: MIT
// Media types: of Content-Type fields and of files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy::http {

/// "text/html; charset=utf-8", read.
struct MediaType {
  std::string essence;  ///< "text/html", in lower case
  std::vector<std::pair<std::string, std::string>> parameters;  ///< names in lower case, values unquoted

  /// The value of a parameter, "" if there is none; `name` in lower case.
  std::string_view parameter(std::string_view name) const noexcept;
  std::string_view charset() const noexcept { return parameter("charset"); }
};

/// Reads a Content-Type as browsers do (WHATWG MIME Sniffing, 4.4): nothing if it has no type and subtype,
/// while damaged parameters are left out; of two equal names the first counts.
std::optional<MediaType> parse_media_type(std::string_view text);

/// The type of a file by the end of its name, with a charset for text: "text/html; charset=utf-8" for
/// "a/b.HTML"; "application/octet-stream" if the end is not known.
std::string_view media_type_of_file(std::string_view path) noexcept;

/// Whether compressing bodies of this type pays: text, JSON, XML, SVG, fonts not yet compressed.
bool is_compressible(std::string_view content_type) noexcept;

}  // namespace eddy::http

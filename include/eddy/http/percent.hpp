// SPDX-License-Identifier: MIT
// Percent-encoding and HTML form encoding (WHATWG URL Standard, 1.3 and 5).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy::http {

/// Turns each `%XX` into its byte; a '%' that two hexadecimal digits do not follow stays.
std::string percent_decode(std::string_view text);

/// Encodes all but letters, digits and `-._~`: safe in any part of a URL, as encodeURIComponent is.
std::string percent_encode(std::string_view text);

/// The form encoding of one name or value: space becomes '+', all but letters, digits and `*-._` `%XX`.
std::string form_encode(std::string_view text);

/// "a=1&b=x+y" → {{"a", "1"}, {"b", "x y"}}; a piece without '=' is a name with an empty value.
std::vector<std::pair<std::string, std::string>> parse_form(std::string_view text);

}  // namespace eddy::http

// SPDX-License-Identifier: MIT
// The host parser of the WHATWG URL Standard, 3.5.
#pragma once

#include <string>
#include <string_view>

namespace eddy::http {

/// A host in normal form, or the rule it broke (a literal).
struct ParsedHost {
  std::string text;
  std::string_view broken_rule;
};

/// `special`: a domain or an address, as in http; otherwise an opaque string.
ParsedHost parse_host(std::string_view text, bool special);

}  // namespace eddy::http

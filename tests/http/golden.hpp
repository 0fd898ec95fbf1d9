// SPDX-License-Identifier: MIT
// Golden cases in Markdown: a heading that states a fact, a fenced block of escaped bytes, one of events.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace eddy::http::test {

struct GoldenCase {
  std::string fact;      // the heading
  std::string kind;      // the first word behind the fence: "request", "response", "body"
  std::string options;   // what follows it
  std::string input;     // unescaped
  std::string expected;  // the lines of the block called "events"
};

/// All cases of a file under tests/http.
std::vector<GoldenCase> read_golden(std::string_view name);

/// Undoes `\r \n \t \\ \xHH` and `\{n*text}` (repeats); line ends of the block itself mean nothing.
std::string unescape(std::string_view text);
/// The other way: bytes outside printable ASCII become escapes.
std::string escape(std::string_view bytes);

}  // namespace eddy::http::test

// SPDX-License-Identifier: MIT
// robots.txt: any text is read; patterns fit what a plain matcher says they fit.
#include <eddy/crawl/robots.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "invariant.hpp"

using eddy::crawl::Robots;

namespace {

// Whether `pattern` fits a beginning of `path`, by trying everything: fit[j] says that the pattern so far may end
// before path[j].
bool plain_fits(std::string_view pattern, std::string_view path) {
  const bool to_end = pattern.ends_with('$');
  if (to_end) pattern.remove_suffix(1);
  std::vector<bool> fit(path.size() + 1, false);
  fit[0] = true;
  for (const char c : pattern) {
    std::vector<bool> next(path.size() + 1, false);
    bool before = false;
    for (std::size_t j = 0; j <= path.size(); ++j) {
      before = before || fit[j];
      if (c == '*') next[j] = before;
      else if (j > 0 && path[j - 1] == c) next[j] = fit[j - 1];
    }
    fit = next;
  }
  return to_end ? fit.back() : std::find(fit.begin(), fit.end(), true) != fit.end();
}

bool is_plain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || c == '/' || more.find(c) != std::string_view::npos;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Robots robots(text);
  require(robots.allows("eddy", "/robots.txt"), "robots.txt may always be read");
  if (const auto delay = robots.crawl_delay("eddy")) require(*delay >= eddy::Duration(), "no negative delays");
  robots.allows("eddy", text);

  const auto line = text.find('\n');
  const auto pattern = text.substr(0, line);
  const auto path = line == std::string::npos ? "/" + text : "/" + text.substr(line + 1);
  const bool comparable = size < 2000 && pattern.starts_with('/') && is_plain(pattern, "*$") && is_plain(path, "") &&
                          pattern.find('$') >= pattern.size() - 1;
  if (comparable) {
    const Robots rule("User-agent: *\nDisallow: " + pattern + "\n");
    require(rule.allows("eddy", path) != plain_fits(pattern, path), "a pattern fits what it says");
  }
  return 0;
}

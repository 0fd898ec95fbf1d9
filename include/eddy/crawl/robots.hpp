// SPDX-License-Identifier: MIT
// robots.txt, the Robots Exclusion Protocol: RFC 9309.
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::crawl {

/// What a site lets robots fetch.
///
///     const crawl::Robots robots("User-agent: *\nDisallow: /private\nAllow: /private/open\n");
///     robots.allows("eddy", "/private/x");     // false
///     robots.allows("eddy", "/private/open");  // true: the longest rule that fits wins
///
/// Parsing never fails: lines that are no rule are passed over, and what stands behind the first 500 KiB
/// (RFC 9309 2.5) or the first 10,000 rules is not read. Checking costs O(bytes of the rules + rules × bytes of the
/// path), whatever they hold.
class Robots {
 public:
  static constexpr std::size_t kMaxBytes = 500 * 1024;
  static constexpr std::size_t kMaxRules = 10'000;

  /// Allows everything: a site without a robots.txt.
  Robots() = default;
  explicit Robots(std::string_view text);
  /// Allows nothing: a site whose robots.txt cannot be had for a fault of its server (2.3.1.4).
  static Robots nothing_allowed();

  /// Whether the robot that calls itself `agent` ("eddy-crawl/1.0 (…)": its name up to the first character that
  /// is no letter, '-' or '_') may fetch `target`, a path with its query. "/robots.txt" itself always.
  bool allows(std::string_view agent, std::string_view target) const;
  /// `Crawl-delay` of the group that concerns `agent`: not in the RFC, yet common. At most a day.
  std::optional<Duration> crawl_delay(std::string_view agent) const;
  /// The URLs of `Sitemap` lines, in order.
  const std::vector<std::string>& sitemaps() const noexcept { return sitemaps_; }

 private:
  struct Rule {
    std::string pattern;  // percent-encoded as URLs are; '*' any bytes, a last '$' the end
    bool allow = false;
  };
  struct Group {
    std::vector<std::string> agents;  // lower case; "*" for all
    std::vector<Rule> rules;
    std::optional<Duration> delay;
  };
  class Reader;

  std::vector<const Group*> groups_of(std::string_view agent) const;

  std::vector<Group> groups_;
  std::vector<std::string> sitemaps_;
};

}  // namespace eddy::crawl

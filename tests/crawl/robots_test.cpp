// SPDX-License-Identifier: MIT
#include <eddy/crawl/robots.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace {

using namespace std::chrono_literals;
using eddy::crawl::Robots;

TEST(Robots, EmptyTextAllowsEverything) {
  EXPECT_TRUE(Robots("").allows("eddy", "/x"));
  EXPECT_TRUE(Robots().allows("eddy", "/x"));
  EXPECT_FALSE(Robots::nothing_allowed().allows("eddy", "/x"));
  EXPECT_TRUE(Robots::nothing_allowed().allows("eddy", "/robots.txt"));
}

// RFC 9309, 5.1.
TEST(Robots, SimpleExampleOfTheRfc) {
  const Robots robots(
      "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n\n"
      "User-Agent: foobot\nDisallow:/\nAllow:/example/page.html\nAllow:/example/allowed.gif\n\n"
      "User-Agent: barbot\nUser-Agent: bazbot\nDisallow: /example/page.html\n\nUser-Agent: quxbot\n");
  EXPECT_FALSE(robots.allows("otherbot", "/a.gif"));
  EXPECT_TRUE(robots.allows("otherbot", "/a.gif?x"));
  EXPECT_FALSE(robots.allows("otherbot", "/example/"));
  EXPECT_TRUE(robots.allows("otherbot", "/publications/"));
  EXPECT_FALSE(robots.allows("foobot", "/publications/"));
  EXPECT_TRUE(robots.allows("FooBot/2.1 (+http://x)", "/example/page.html"));
  EXPECT_TRUE(robots.allows("foobot", "/example/allowed.gif"));
  EXPECT_FALSE(robots.allows("barbot", "/example/page.html"));
  EXPECT_FALSE(robots.allows("bazbot", "/example/page.html"));
  EXPECT_TRUE(robots.allows("bazbot", "/a.gif"));
  EXPECT_TRUE(robots.allows("quxbot", "/example/"));
}

// RFC 9309, 5.2.
TEST(Robots, LongestRuleWins) {
  const Robots robots("User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n");
  EXPECT_TRUE(robots.allows("foobot", "/example/page/x"));
  EXPECT_FALSE(robots.allows("foobot", "/example/page/disallowed.gif"));
  const Robots equal("User-agent: *\nDisallow: /a\nAllow: /a\n");
  EXPECT_TRUE(equal.allows("x", "/a"));
}

TEST(Robots, GroupsOfOneAgentAreOne) {
  const Robots robots("User-agent: a\nDisallow: /1\nUser-agent: b\nDisallow: /2\nUser-agent: A\nDisallow: /3\n");
  EXPECT_FALSE(robots.allows("a", "/1"));
  EXPECT_TRUE(robots.allows("a", "/2"));
  EXPECT_FALSE(robots.allows("a", "/3"));
}

TEST(Robots, StarsAndEndsOfPatterns) {
  const Robots robots("User-agent: *\nDisallow: /*/private*.html$\nDisallow: /x*\nDisallow: /end$\nDisallow: /a**b\n");
  EXPECT_FALSE(robots.allows("e", "/1/private/2.html"));
  EXPECT_TRUE(robots.allows("e", "/1/private/2.html?q"));
  EXPECT_TRUE(robots.allows("e", "/private.htm"));
  EXPECT_FALSE(robots.allows("e", "/xyz"));
  EXPECT_FALSE(robots.allows("e", "/end"));
  EXPECT_TRUE(robots.allows("e", "/ending"));
  EXPECT_FALSE(robots.allows("e", "/a123b4"));
}

// RFC 9309, 2.2.2: both sides are compared in one spelling.
TEST(Robots, ComparesPercentEncodedForms) {
  const Robots robots("User-agent: *\nDisallow: /foo/bar/\u30c4\nDisallow: /b%7Ez\nDisallow: /lit%2ax\n");
  EXPECT_FALSE(robots.allows("e", "/foo/bar/%E3%83%84"));
  EXPECT_FALSE(robots.allows("e", "/foo/bar/%e3%83%84"));
  EXPECT_FALSE(robots.allows("e", "/b~z"));
  EXPECT_FALSE(robots.allows("e", "/lit%2Ax"));
  EXPECT_TRUE(robots.allows("e", "/litabcx"));
}

TEST(Robots, OddFilesAreRead) {
  const Robots robots("\xEF\xBB\xBFuser-agent\t:\t*  # all\r\nNoise\r DISALLOW : /a b\r\nCrawl-Delay: 1.5\n"
                      "Sitemap: http://x/s.xml\nDisallow: no-slash\nDisallow:\n");
  EXPECT_FALSE(robots.allows("e", "/a%20b"));
  EXPECT_TRUE(robots.allows("e", "/no-slash"));
  ASSERT_TRUE(robots.crawl_delay("e").has_value());
  EXPECT_EQ(robots.crawl_delay("e")->count(), eddy::Duration(1500ms).count());
  EXPECT_EQ(robots.sitemaps(), std::vector<std::string>{"http://x/s.xml"});
  EXPECT_FALSE(Robots("User-agent: *\nCrawl-delay: soon\n").crawl_delay("e"));
  EXPECT_EQ(Robots("User-agent: *\nCrawl-delay: 1e99\n").crawl_delay("e")->count(), eddy::Duration(24h).count());
}

TEST(Robots, RulesBehindTheLimitAreNotRead) {
  const std::string padding(Robots::kMaxBytes, '#');
  EXPECT_TRUE(Robots("User-agent: *\n" + padding + "\nDisallow: /\n").allows("e", "/x"));
}

TEST(Robots, HostilePatternsTakeLinearTime) {
  std::string text = "User-agent: *\n";
  for (int i = 0; i < 100; ++i) text += "Disallow: /" + std::string(2000, '*') + std::string(2000, 'a') + "b\n";
  const Robots robots(text);
  EXPECT_TRUE(robots.allows("e", "/" + std::string(4000, 'a')));
}

}  // namespace

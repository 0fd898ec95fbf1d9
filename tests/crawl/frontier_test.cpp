// SPDX-License-Identifier: MIT
#include "crawl/frontier.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace eddy::crawl;
using eddy::TimePoint;

constexpr FingerprintKey kKey{1, 2};
constexpr TimePoint kStart(1h);

Request request(const std::string& url, int depth = 0, int priority = 0) {
  Request result{eddy::http::Url(url)};
  result.depth = depth;
  result.priority = priority;
  return result;
}

std::string take(Frontier& frontier, TimePoint now = kStart) {
  const auto taken = frontier.take(now);
  return taken ? std::string(taken->url.host()) + std::string(taken->url.target()) : "";
}

TEST(Frontier, TakesEachUrlOnce) {
  Frontier frontier({}, kKey);
  EXPECT_EQ(frontier.add(request("http://a/x#top"), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add(request("HTTP://A:80/y/../x#end"), kStart), Frontier::Added::seen);
  EXPECT_EQ(frontier.add(request("http://a/x?"), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add(request("mailto:a@b"), kStart), Frontier::Added::not_http);
  EXPECT_EQ(frontier.seen(), 2u);
  EXPECT_EQ(take(frontier), "a/x");
  EXPECT_EQ(take(frontier), "a/x?");
  EXPECT_EQ(take(frontier), "");
  EXPECT_TRUE(frontier.empty());
}

TEST(Frontier, HostsTakeTurns) {
  Frontier frontier({}, kKey);
  for (const auto* url : {"http://a/1", "http://a/2", "http://a/3", "http://b/1", "http://c/1", "http://b/2"}) {
    frontier.add(request(url), kStart);
  }
  std::string order;
  for (int i = 0; i < 6; ++i) order += take(frontier) + ' ';
  EXPECT_EQ(order, "a/1 b/1 c/1 a/2 b/2 a/3 ");
}

TEST(Frontier, PriorityThenDepthThenOrderOfDiscovery) {
  Frontier frontier({}, kKey);
  frontier.add(request("http://a/deep", 2), kStart);
  frontier.add(request("http://a/first", 1), kStart);
  frontier.add(request("http://a/second", 1), kStart);
  frontier.add(request("http://a/urgent", 3, 1), kStart);
  std::string order;
  for (int i = 0; i < 4; ++i) order += take(frontier) + ' ';
  EXPECT_EQ(order, "a/urgent a/first a/second a/deep ");
}

TEST(Frontier, NoMoreThanPerHostAreInFlight) {
  FrontierOptions options;
  options.per_host = 2;
  Frontier frontier(options, kKey);
  for (const auto* url : {"http://a/1", "http://a/2", "http://a/3"}) frontier.add(request(url), kStart);
  const auto first = frontier.take(kStart);
  take(frontier);
  EXPECT_EQ(take(frontier), "");
  EXPECT_FALSE(frontier.empty());
  EXPECT_FALSE(frontier.next_time().has_value());
  frontier.finished(*first, kStart);
  EXPECT_EQ(take(frontier), "a/3");
}

TEST(Frontier, DelayIsKeptPerHost) {
  FrontierOptions options;
  options.delay = 100ms;
  Frontier frontier(options, kKey);
  for (const auto* url : {"http://a/1", "http://a/2", "http://b/1"}) frontier.add(request(url), kStart);
  EXPECT_EQ(take(frontier), "a/1");
  EXPECT_EQ(take(frontier), "b/1");
  EXPECT_EQ(take(frontier, kStart + 99ms), "");
  EXPECT_EQ(*frontier.next_time(), kStart + 100ms);
  EXPECT_EQ(take(frontier, kStart + 100ms), "a/2");
}

TEST(Frontier, DelayCountsAlsoForWhatComesLater) {
  FrontierOptions options;
  options.delay = 100ms;
  Frontier frontier(options, kKey);
  frontier.add(request("http://a/1"), kStart);
  const auto first = frontier.take(kStart);
  frontier.finished(*first, kStart + 10ms);
  frontier.add(request("http://a/2"), kStart + 20ms);
  EXPECT_EQ(take(frontier, kStart + 20ms), "");
  EXPECT_EQ(take(frontier, kStart + 100ms), "a/2");
}

TEST(Frontier, FailedRequestsComeAgainAtTheirTime) {
  Frontier frontier({}, kKey);
  frontier.add(request("http://a/1"), kStart);
  auto first = *frontier.take(kStart);
  frontier.finished(first, kStart);
  ++first.tries;
  frontier.add_again(first, kStart + 5s);
  EXPECT_FALSE(frontier.empty());
  EXPECT_EQ(take(frontier, kStart + 4s), "");
  EXPECT_EQ(*frontier.next_time(), kStart + 5s);
  const auto again = frontier.take(kStart + 5s);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->tries, 1);
  EXPECT_EQ(frontier.pages(), 1u);
}

TEST(Frontier, RestingHostsHoldNobodyElseBack) {
  Frontier frontier({}, kKey);
  frontier.add(request("http://a/1"), kStart);
  frontier.add(request("http://b/1"), kStart);
  frontier.rest(eddy::http::Url("http://a/"), kStart + 3s);
  EXPECT_EQ(take(frontier), "b/1");
  EXPECT_EQ(take(frontier), "");
  EXPECT_EQ(*frontier.next_time(), kStart + 3s);
  EXPECT_EQ(take(frontier, kStart + 3s), "a/1");
}

TEST(Frontier, MaxPagesCountsUrlsNotTries) {
  FrontierOptions options;
  options.max_pages = 2;
  Frontier frontier(options, kKey);
  for (const auto* url : {"http://a/1", "http://a/2", "http://a/3", "http://b/1"}) frontier.add(request(url), kStart);
  auto first = *frontier.take(kStart);
  EXPECT_EQ(frontier.size(), 3u);
  EXPECT_EQ(take(frontier), "b/1");
  EXPECT_TRUE(frontier.empty());
  EXPECT_EQ(frontier.add(request("http://a/4"), kStart), Frontier::Added::full);
  ++first.tries;
  frontier.add_again(first, kStart + 1s);
  EXPECT_EQ(take(frontier, kStart + 1s), "a/1");
  EXPECT_EQ(frontier.add_redirect(first, eddy::http::Url("http://a/5"), kStart + 1s), Frontier::Added::yes);
  EXPECT_EQ(take(frontier, kStart + 1s), "a/5");
}

TEST(Frontier, SameSiteMeansHostsOfStartUrlsAndWhereTheyRedirectTo) {
  FrontierOptions options;
  options.same_site = true;
  Frontier frontier(options, kKey);
  frontier.add(request("http://a/"), kStart);
  const auto start = *frontier.take(kStart);
  EXPECT_EQ(frontier.add(request("http://b/", 1), kStart), Frontier::Added::other_site);
  EXPECT_EQ(frontier.add(request("http://a:81/", 1), kStart), Frontier::Added::other_site);
  EXPECT_EQ(frontier.add(request("https://a/", 1), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add_redirect(start, eddy::http::Url("http://www.a/"), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add(request("http://www.a/x", 1), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add_redirect(request("http://a/in", 1), eddy::http::Url("http://c/"), kStart),
            Frontier::Added::other_site);
}

TEST(Frontier, RedirectTargetTakesTheSequenceNumberAndCountsAsSeen) {
  Frontier frontier({}, kKey);
  frontier.add(request("http://a/0"), kStart);
  frontier.add(request("http://a/1"), kStart);
  take(frontier);
  const auto from = *frontier.take(kStart);
  EXPECT_EQ(frontier.add_redirect(from, eddy::http::Url("http://a/target#x"), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add(request("http://a/target"), kStart), Frontier::Added::seen);
  EXPECT_EQ(frontier.add_redirect(from, eddy::http::Url("http://a/0"), kStart), Frontier::Added::seen);
  const auto target = *frontier.take(kStart);
  EXPECT_EQ(target.sequence, 1u);
  EXPECT_EQ(target.redirects, std::vector<std::string>{"http://a/1"});
}

TEST(Frontier, LimitsOnWhatIsTaken) {
  FrontierOptions options;
  options.max_depth = 1;
  options.max_urls = 2;
  options.max_url_length = 20;
  Frontier frontier(options, kKey);
  EXPECT_EQ(frontier.add(request("http://a/", 2), kStart), Frontier::Added::too_deep);
  EXPECT_EQ(frontier.add(request("http://a/" + std::string(12, 'x')), kStart), Frontier::Added::too_long);
  EXPECT_EQ(frontier.add(request("http://a/1"), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add(request("http://a/2", 1), kStart), Frontier::Added::yes);
  EXPECT_EQ(frontier.add(request("http://a/3"), kStart), Frontier::Added::full);
}

TEST(Frontier, RobotsAreAskedBeforeTheFirstPage) {
  FrontierOptions options;
  options.obey_robots = true;
  options.user_agent = "eddy-crawl/0.1";
  Frontier frontier(options, kKey);
  for (const auto* url : {"http://a/open", "http://a/closed", "http://b/1"}) frontier.add(request(url), kStart);
  const auto robots = *frontier.take(kStart);
  EXPECT_TRUE(robots.robots);
  EXPECT_EQ(robots.url.str(), "http://a/robots.txt");
  EXPECT_EQ(take(frontier), "b/robots.txt");
  EXPECT_EQ(take(frontier), "");
  frontier.set_robots(robots.url, Robots("User-agent: *\nDisallow: /closed\nCrawl-delay: 2\n"), kStart);
  frontier.finished(robots, kStart);
  EXPECT_EQ(take(frontier), "");
  EXPECT_EQ(take(frontier, kStart + 2s), "a/open");
  EXPECT_EQ(take(frontier, kStart + 4s), "");
  ASSERT_EQ(frontier.forbidden().size(), 1u);
  EXPECT_EQ(frontier.forbidden().size(), 0u);
  EXPECT_EQ(frontier.pages(), 1u);
}

TEST(Frontier, TakingIsFastWithManyRestingHosts) {
  FrontierOptions options;
  options.delay = 1h;
  Frontier frontier(options, kKey);
  for (int i = 0; i < 20'000; ++i) {
    const auto host = "http://h" + std::to_string(i);
    frontier.add(request(host + "/1"), kStart);
    frontier.add(request(host + "/2"), kStart);
  }
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(frontier.take(kStart).has_value());
  for (int i = 0; i < 20'000; ++i) ASSERT_FALSE(frontier.take(kStart).has_value());
}

}  // namespace

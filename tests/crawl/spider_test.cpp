// SPDX-License-Identifier: MIT
// The spider against sites in memory, in virtual time.
#include <eddy/crawl/spider.hpp>

#include <functional>
#include <map>
#include <vector>

#include "support.hpp"

namespace {

using namespace eddy::crawl;
using eddy::testing::Log;
using eddy::testing::now;

// A web in memory: what each URL answers, and after how long. What it does not know is 404.
class MemoryWeb final : public Fetcher {
 public:
  struct Answer {
    int status;
    std::string body;
    eddy::http::Headers headers;
    eddy::Duration delay;
  };

  MemoryWeb& page(const std::string& url, std::string body, eddy::Duration delay = {}) {
    return answer(url, 200, std::move(body), {}, delay);
  }
  MemoryWeb& answer(const std::string& url, int status, std::string body = {}, eddy::http::Headers headers = {},
                    eddy::Duration delay = {}) {
    answers_[url].push_back(Answer{status, std::move(body), std::move(headers), delay});
    return *this;
  }
  MemoryWeb& redirect(const std::string& url, const std::string& target) {
    return answer(url, 302, "", {{"Location", target}});
  }
  MemoryWeb& refuse(const std::string& url) {
    refused_.insert(url);
    return *this;
  }

  Coro<FetchedPage> fetch(const FetchOrder& order) override {
    const std::string url = order.url.str();
    log(url.substr(url.rfind('/')), std::chrono::duration_cast<std::chrono::milliseconds>(now()));
    ++fetched[url];
    most = std::max(most, ++running_);
    const Leave leave(running_);
    if (refused_.contains(url)) eddy::throw_os_error(ECONNREFUSED, "connect to x");
    FetchedPage page;
    auto& answers = answers_[url];
    if (answers.empty()) {
      page.status = 404;
      co_return page;
    }
    const auto answer = answers.front();
    if (answers.size() > 1) answers.erase(answers.begin());
    if (answer.delay > order.timeout) {
      co_await eddy::sleep(order.timeout);
      throw eddy::TimeoutError("GET " + url + ": timed out");
    }
    if (answer.delay.count() > 0) co_await eddy::sleep(answer.delay);
    page.status = answer.status;
    page.headers = answer.headers;
    page.body = answer.body;
    co_return page;
  }

  Log log;
  std::map<std::string, int> fetched;
  int most = 0;

 private:
  struct Leave {
    explicit Leave(int& count) : running(count) {}
    ~Leave() { --running; }
    int& running;
  };
  std::map<std::string, std::vector<Answer>> answers_;
  std::set<std::string> refused_;
  int running_ = 0;
};

std::string links(const std::vector<std::string>& urls) {
  std::string body;
  for (const auto& url : urls) body += "<a href='" + url + "'>x</a>";
  return body;
}

Coro<> follow_all(Page& page) {
  page.follow(page.html().select("a"));
  co_return;
}

std::string text_of(const std::map<std::string, std::string>& errors) {
  std::string text;
  for (const auto& [url, reason] : errors) text += url + ": " + reason + "\n";
  return text;
}

ASYNC_TEST(Spider, FetchesEachUrlOnce) {
  MemoryWeb web;
  web.page("http://a/", links({"/1", "1#part", "http://a/1", "/2"})).page("http://a/1", links({"/", "/2"}));
  web.page("http://a/2", "");
  Spider spider(follow_all);
  EXPECT_TRUE(spider.start("http://a/"));
  EXPECT_FALSE(spider.start("http://a/#again"));
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(stats.pages, 3u);
  EXPECT_EQ(stats.requests, 3u);
  EXPECT_EQ(stats.duplicates, 4u);
  EXPECT_EQ(stats.statuses, (std::map<int, std::size_t>{{200, 3}}));
  EXPECT_EQ(web.fetched, (std::map<std::string, int>{{"http://a/", 1}, {"http://a/1", 1}, {"http://a/2", 1}}));
}

ASYNC_TEST(Spider, FailedPagesGoToTheErrorSetAndTheCrawlGoesOn) {
  MemoryWeb web;
  web.page("http://a/", links({"/missing", "/broken", "/empty", "/fine", "http://down/", "/slow", "/bad"}));
  web.answer("http://a/broken", 500).answer("http://a/empty", 204).page("http://a/fine", "").page("http://a/bad", "");
  web.page("http://a/slow", "", 1h).refuse("http://down/");
  const auto parse = [](Page& page) -> Coro<> {
    page.follow(page.html().select("a"));
    if (page.url().path() == "/bad") throw eddy::ValueError("no such thing on this page");
    co_return;
  };
  Spider spider(parse, {.timeout = 5s});
  spider.start("http://a/");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(text_of(spider.errors()),
            "http://a/bad: no such thing on this page\n"
            "http://a/broken: 500 Internal Server Error\n"
            "http://a/empty: 204 No Content\n"
            "http://a/missing: 404 Not Found\n"
            "http://a/slow: timed out\n"
            "http://down/: connect to x: Connection refused\n");
  EXPECT_EQ(stats.pages, 2u);
  EXPECT_EQ(stats.failed, 6u);
  EXPECT_EQ(spider.error_urls().size(), 6u);
}

ASYNC_TEST(Spider, RetriesWithGrowingWaits) {
  MemoryWeb web;
  web.answer("http://a/x", 503);
  Spider spider(follow_all);
  spider.start("http://a/x");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(web.log.str(), "/x 0s, /x 500ms, /x 1.5s");
  EXPECT_EQ(stats.retries, 2u);
  EXPECT_EQ(text_of(spider.errors()), "http://a/x: 503 Service Unavailable\n");
}

ASYNC_TEST(Spider, AMendedPageIsNoError) {
  MemoryWeb web;
  web.answer("http://a/x", 502).page("http://a/x", "");
  Spider spider(follow_all);
  spider.start("http://a/x");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(stats.pages, 1u);
  EXPECT_EQ(stats.failed, 0u);
}

ASYNC_TEST(Spider, RetryAfterHoldsTheWholeHostBack) {
  MemoryWeb web;
  web.answer("http://a/1", 429, "", {{"Retry-After", "7"}}).page("http://a/1", "").page("http://a/2", "");
  web.page("http://b/3", "", 1s);
  Spider spider(follow_all, {.concurrency = 1});
  spider.start("http://a/1");
  spider.start("http://a/2");
  spider.start("http://b/3");
  co_await spider.run(web);
  EXPECT_EQ(web.log.str(), "/1 0s, /3 0s, /1 7s, /2 7s");
}

ASYNC_TEST(Spider, AskedToWaitTooLongItGivesUp) {
  MemoryWeb web;
  web.answer("http://a/1", 503, "", {{"Retry-After", "3600"}});
  Spider spider(follow_all);
  spider.start("http://a/1");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(stats.requests, 1u);
}

ASYNC_TEST(Spider, ConcurrencyIsKeptTotalAndPerHost) {
  MemoryWeb web;
  std::vector<std::string> urls;
  for (int host = 0; host < 4; ++host) {
    for (int i = 0; i < 10; ++i) urls.push_back("http://h" + std::to_string(host) + "/" + std::to_string(i));
  }
  for (const auto& url : urls) web.page(url, "", 1s);
  Spider spider(follow_all, {.concurrency = 5, .per_host = 3});
  for (const auto& url : urls) spider.start(url);
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(web.most, 5);
  EXPECT_EQ(stats.max_in_flight, 5u);
  EXPECT_EQ(now(), 8s);
  MemoryWeb one;
  for (int i = 0; i < 10; ++i) one.page("http://h0/" + std::to_string(i), "", 1s);
  Spider polite(follow_all, {.concurrency = 5, .per_host = 3});
  for (int i = 0; i < 10; ++i) polite.start("http://h0/" + std::to_string(i));
  co_await polite.run(one);
  EXPECT_EQ(one.most, 3);
}

ASYNC_TEST(Spider, DelayIsKeptBetweenStartsToOneHost) {
  MemoryWeb web;
  for (const auto* url : {"http://a/1", "http://a/2", "http://b/3", "http://a/4"}) web.page(url, "", 20ms);
  Spider spider(follow_all, {.delay = 100ms});
  for (const auto* url : {"http://a/1", "http://a/2", "http://b/3", "http://a/4"}) spider.start(url);
  co_await spider.run(web);
  EXPECT_EQ(web.log.str(), "/1 0s, /3 0s, /2 100ms, /4 200ms");
}

ASYNC_TEST(Spider, RedirectsAreLinksAndTheirTargetsAreSeen) {
  MemoryWeb web;
  web.page("http://a/", links({"/old", "/new", "/older"})).redirect("http://a/old", "/new#x").page("http://a/new", "");
  web.redirect("http://a/older", "/end").page("http://a/end", "");
  std::string way;
  const auto parse = [&](Page& page) -> Coro<> {
    page.follow(page.html().select("a"));
    if (page.url().path() == "/end") way = page.redirects().front() + " " + std::to_string(page.sequence());
    co_return;
  };
  Spider spider(parse);
  std::string log;
  spider.set_listener([&](const Outcome& outcome) {
    constexpr const char* kNames[] = {"page", "failed", "redirected", "dropped", "forbidden"};
    log += std::to_string(outcome.sequence) + ' ' + kNames[static_cast<int>(outcome.kind)] + ", ";
  });
  spider.start("http://a/");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(web.fetched["http://a/new"], 1);
  EXPECT_EQ(stats.redirects, 2u);
  EXPECT_EQ(stats.pages, 3u);
  EXPECT_EQ(stats.failed, 0u);
  EXPECT_EQ(way, "http://a/older 3");
  EXPECT_EQ(log, "0 page, 1 dropped, 2 page, 3 redirected, 3 page, ");
}

ASYNC_TEST(Spider, EndlessRedirectsAreErrors) {
  MemoryWeb web;
  web.redirect("http://a/self", "/self").redirect("http://a/x", "/y").redirect("http://a/y", "/x");
  web.redirect("http://a/mail", "mailto:a@b").redirect("http://a/1", "/2").redirect("http://a/2", "/3");
  web.redirect("http://a/3", "/4");
  Spider spider(follow_all, {.max_redirects = 2});
  for (const auto* path : {"self", "x", "mail", "1"}) spider.start(std::string("http://a/") + path);
  co_await spider.run(web);
  EXPECT_EQ(text_of(spider.errors()),
            "http://a/3: more than 2 redirects\n"
            "http://a/mail: 302 Found to 'mailto:a@b', which cannot be fetched\n"
            "http://a/self: 302 Found in a circle, to http://a/self\n"
            "http://a/y: 302 Found in a circle, to http://a/x\n");
}

ASYNC_TEST(Spider, ObeysRobots) {
  MemoryWeb web;
  web.page("http://a/robots.txt", "User-agent: eddy-crawl\nDisallow: /private\nCrawl-delay: 2\n");
  web.page("http://a/", links({"/private/1", "/open", "http://b/"})).page("http://a/open", "");
  web.page("http://b/", "").answer("http://b/robots.txt", 404);
  Spider spider(follow_all, {.obey_robots = true});
  spider.start("http://a/");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(web.log.str(), "/robots.txt 0s, / 2s, /robots.txt 2s, / 2s, /open 4s");
  EXPECT_EQ(stats.forbidden, 1u);
  EXPECT_EQ(stats.pages, 3u);
}

ASYNC_TEST(Spider, ABrokenRobotsFileForbidsTheHost) {
  MemoryWeb web;
  web.answer("http://a/robots.txt", 503).page("http://a/", "");
  web.redirect("http://b/robots.txt", "http://c/r").page("http://c/r", "User-agent: *\nDisallow: /x").page("http://b/", "");
  Spider spider(follow_all, {.obey_robots = true});
  for (const auto* url : {"http://a/", "http://b/", "http://b/x"}) spider.start(url);
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(text_of(spider.errors()), "http://a/robots.txt: 503 Service Unavailable\n");
  EXPECT_EQ(web.fetched["http://a/robots.txt"], 3);
  EXPECT_EQ(stats.forbidden, 2u);
  EXPECT_EQ(stats.pages, 1u);
}

// A site without an end: each page leads to two new ones.
class EndlessWeb final : public Fetcher {
 public:
  Coro<FetchedPage> fetch(const FetchOrder& order) override {
    FetchedPage page;
    page.status = 200;
    page.body = links({std::string(order.url.path()) + "a/", std::string(order.url.path()) + "b/"});
    co_await eddy::sleep(10ms);
    co_return page;
  }
};

ASYNC_TEST(Spider, EndlessSitesEndAtMaxPages) {
  EndlessWeb web;
  Spider spider(follow_all, {.max_pages = 100});
  spider.start("http://a/");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(stats.pages, 100u);
  EXPECT_EQ(stats.queued, 0u);
}

ASYNC_TEST(Spider, EndlessSitesEndAtMaxDepthAndMaxUrls) {
  EndlessWeb web;
  Spider deep(follow_all, {.max_depth = 4});
  deep.start("http://a/");
  const auto levels = co_await deep.run(web);
  EXPECT_EQ(levels.pages, 31u);
  Spider known(follow_all, {.max_urls = 50});
  known.start("http://a/");
  const auto urls = co_await known.run(web);
  EXPECT_EQ(urls.pages, 50u);
  EXPECT_GT(urls.dropped, 0u);
}

ASYNC_TEST(Spider, LinksPastTheLimitOfAPageAreDropped) {
  MemoryWeb web;
  web.page("http://a/", links({"/1", "/2", "/3"})).page("http://a/1", "").page("http://a/2", "");
  Spider spider(follow_all, {.max_links = 2});
  spider.start("http://a/");
  const auto stats = co_await spider.run(web);
  EXPECT_EQ(stats.pages, 3u);
  EXPECT_EQ(stats.dropped, 1u);
}

ASYNC_TEST(Spider, StopBreaksFetchesOffAndKeepsWhatHasCome) {
  MemoryWeb web;
  web.page("http://a/", links({"/slow"})).page("http://a/slow", "", 1h);
  Spider spider(follow_all, {.timeout = 2h});
  spider.start("http://a/");
  auto run = eddy::create_task(spider.run(web));
  co_await eddy::sleep(10s);
  EXPECT_EQ(spider.stats().in_flight, 1u);
  spider.stop();
  const auto stats = co_await run;
  EXPECT_EQ(now(), 10s);
  EXPECT_TRUE(spider.stopped());
  EXPECT_EQ(stats.pages, 1u);
  EXPECT_EQ(stats.failed, 0u);
  EXPECT_EQ(stats.in_flight, 0u);
}

ASYNC_TEST(Spider, StartAddsWhileItRuns) {
  MemoryWeb web;
  web.page("http://a/1", "", 1s).page("http://a/2", "", 5s);
  Spider spider(follow_all);
  spider.start("http://a/1");
  auto run = eddy::create_task(spider.run(web));
  co_await eddy::sleep(500ms);
  spider.start("http://a/2");
  const auto stats = co_await run;
  EXPECT_EQ(stats.pages, 2u);
  EXPECT_EQ(now(), 5500ms);
}

ASYNC_TEST(Spider, ItemsReachTheSinkAndASinkThatFailsEndsTheCrawl) {
  MemoryWeb web;
  web.page("http://a/", links({"/1"})).page("http://a/1", "", 1h);
  const auto parse = [](Page& page) -> Coro<> {
    page.follow(page.html().select("a"));
    Item item;
    item.set("url", page.url().str());
    co_await page.item(std::move(item));
  };
  Spider good(parse);
  std::string urls;
  good.set_sink([&](Item item) -> Coro<> {
    urls += std::string(item.text("url")) + ' ';
    co_return;
  });
  good.start("http://a/1");
  const auto stats = co_await good.run(web);
  EXPECT_EQ(urls, "");
  EXPECT_EQ(stats.items, 0u);

  Spider bad(parse, {.timeout = 2h});
  bad.set_sink([](Item) -> Coro<> {
    throw eddy::RuntimeError("the disk is full");
    co_return;
  });
  bad.start("http://a/");
  const auto error = co_await eddy::testing::error_of<eddy::RuntimeError>(bad.run(web));
  EXPECT_STREQ(error.what(), "the disk is full");
}

ASYNC_TEST(Spider, PagesKnowWhereTheyComeFrom) {
  MemoryWeb web;
  web.page("http://a/", "<base href='/sub/'><a href='x?q'></a><img src=/i.png>");
  web.answer("http://a/sub/x?q", 200, "\xC4\xBF\xC2\xBC", {{"Content-Type", "text/html; charset=gbk"}});
  web.answer("http://a/i.png", 200, "PNG", {{"Content-Type", "image/png"}});
  Log log;
  const auto parse = [&](Page& page) -> Coro<> {
    log(page.url().target(), page.depth(), page.tag().c_str(), page.is_html() ? "html" : "other");
    if (page.tag() == "list") {
      EXPECT_EQ(page.text(), "目录");
    }
    if (page.depth() > 0) co_return;
    EXPECT_EQ(page.follow(page.html().select("a"), {.tag = "list"}), 1u);
    EXPECT_EQ(page.follow(page.html().select("img")), 1u);
    EXPECT_FALSE(page.follow("http://["));
    EXPECT_FALSE(page.follow("javascript:void(0)"));
  };
  Spider spider(parse, {.concurrency = 1});
  spider.start("http://a/");
  co_await spider.run(web);
  EXPECT_EQ(log.str(), "/ 0  html, /sub/x?q 1 list html, /i.png 1  other");
}

ASYNC_TEST(Spider, EncodingOfItsOwnOverridesWhatPagesSay) {
  MemoryWeb web;
  web.answer("http://a/", 200, "<meta charset=utf-8><title>\xC4\xBF\xC2\xBC</title>",
             {{"Content-Type", "text/html; charset=utf-8"}});
  std::string title;
  const auto parse = [&](Page& page) -> Coro<> {
    title = page.html().title();
    co_return;
  };
  Spider spider(parse, {.encoding = "gb2312"});
  spider.start("http://a/");
  co_await spider.run(web);
  EXPECT_EQ(title, "目录");
}

ASYNC_TEST(Spider, MisuseIsNamed) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Spider(follow_all, {.concurrency = 0})),
            "spider: concurrency is 0, it must be at least 1");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Spider(follow_all, {.per_host = 0})),
            "spider: per_host is 0, it must be at least 1");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Spider(follow_all, {.delay = -1s})), "spider: the delay is negative");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Spider(follow_all, {.timeout = 0s})), "spider: the timeout must be above 0");
  EXPECT_EQ(TEXT_OF(eddy::UnknownCharsetError, Spider(follow_all, {.encoding = "klingon"})), "unknown charset 'klingon'");
  Spider spider(follow_all, {.max_url_length = 30});
  EXPECT_EQ(TEXT_OF(eddy::ValueError, spider.start("ftp://a/")),
            "cannot crawl 'ftp://a/': only http and https can be fetched");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, spider.start("http://a/" + std::string(30, 'x'))),
            "cannot crawl a URL of 39 bytes, the limit is 30 (SpiderOptions::max_url_length)");
  MemoryWeb web;
  co_await spider.run(web);
  const auto twice = co_await eddy::testing::error_of<eddy::RuntimeError>(spider.run(web));
  EXPECT_STREQ(twice.what(), "a spider runs once: make another one");
}

TEST(Spider, MayBeCancelledAnywhere) {
  const auto scenario = []() -> Coro<> {
    MemoryWeb web;
    web.page("http://a/", links({"/1", "/2", "/3"}), 10ms).page("http://a/1", "", 20ms).answer("http://a/2", 503);
    web.redirect("http://a/3", "/1").page("http://a/robots.txt", "", 5ms);
    Spider spider(follow_all, {.obey_robots = true, .concurrency = 2, .delay = 5ms});
    spider.start("http://a/");
    co_await spider.run(web);
  };
  EXPECT_GT(eddy::testing::cancel_everywhere(scenario), 10u);
}

}  // namespace

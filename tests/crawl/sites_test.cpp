// SPDX-License-Identifier: MIT
// Whole crawls over loopback: the rows SP-01 … SP-10 and HT-02 of what crawlers of this kind must do.
#include <eddy/crawl.hpp>
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "apps/eddy/demo_site.hpp"
#include "crawl/files.hpp"
#include "support.hpp"

namespace {

namespace crawl = eddy::crawl;
namespace html = eddy::html;
namespace http = eddy::http;

/// What the server saw.
struct Seen {
  int running = 0, most = 0;
  std::map<std::string, int> requests;  // by target
  std::vector<std::chrono::steady_clock::time_point> starts;
  std::set<std::string> user_agents;
  std::vector<std::string> cookies;
};

class Inside {
 public:
  explicit Inside(Seen& seen) : seen_(seen) { seen_.most = std::max(seen_.most, ++seen_.running); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { --seen_.running; }

 private:
  Seen& seen_;
};

// Notes every request, and holds it for a while.
void watch(http::Application& app, Seen& seen, eddy::Duration hold = {}) {
  app.use([&seen, hold](http::Request& request, http::Next next) -> Coro<http::Response> {
    const Inside inside(seen);
    ++seen.requests[std::string(request.target())];
    seen.starts.push_back(std::chrono::steady_clock::now());
    seen.user_agents.emplace(request.header("user-agent").value_or(""));
    seen.cookies.emplace_back(request.header("cookie").value_or(""));
    if (hold.count() > 0) co_await eddy::sleep(hold);
    auto response = co_await next(request);
    co_return response;
  });
}

std::string base_of(const http::HttpServer& server) { return "http://127.0.0.1:" + std::to_string(server.port()); }

/// Runs `scenario(base)` against `app`, in real time.
template <class F>
void with_site(http::Application app, F scenario) {
  const auto body = [&]() -> Coro<> {
    auto server = co_await http::serve(std::move(app), {.port = 0});
    co_await scenario(base_of(server));
    co_await server.shutdown();
  };
  eddy::run(eddy::timeout(std::chrono::seconds(30), body));
}

struct Chapter {
  std::string title, href;
};

std::vector<Chapter> chapters_of(const std::string& page) {
  std::vector<Chapter> chapters;
  for (const auto& link : html::parse(page).select("#list dd a")) {
    chapters.push_back({link.text(), std::string(link.attr("href").value_or(""))});
  }
  return chapters;
}

Coro<std::string> page_text(http::ClientSession& session, http::Url url) {
  auto response = co_await session.get(url);
  response.raise_for_status();
  auto text = co_await response.text("gbk", eddy::OnError::ignore);
  co_return text;
}

Coro<> follow_all(crawl::Page& page) {
  page.follow(page.html().select("a[href]"));
  co_return;
}

http::Response plain_page(std::string body) { return http::html_response(std::move(body)); }

TEST(SeedCrawls, Sp01ListPageIsSavedOffTheLoop) {
  http::Application app;
  app.get("/", [](http::Request&) -> Coro<http::Response> {
    std::string page = "<dl id=list>";
    for (int i = 1; i <= 330; ++i) page += "<dd><a href='/12/" + std::to_string(i) + ".html'>" + demo_chapter_title(i) + "</a>";
    co_return http::bytes_response(eddy::encode(page, "gbk"));
  });
  const TemporaryFolder folder;
  std::string printed;
  with_site(std::move(app), [&](std::string base) -> Coro<> {
    http::ClientSession session;
    const auto page = co_await page_text(session, http::Url(base));
    const auto save = [path = folder / "list.txt", chapters = chapters_of(page)] {
      std::ofstream out(path);
      for (const auto& chapter : chapters) out << chapter.title << ':' << chapter.href << '\n';
      return std::string("ok");
    };
    printed = co_await eddy::to_thread(save);
  });
  EXPECT_EQ(printed, "ok");
  const auto file = folder.read("list.txt");
  EXPECT_EQ(std::count(file.begin(), file.end(), '\n'), 330);
  EXPECT_TRUE(file.starts_with("第一章 钟楼:/12/1.html\n")) << file.substr(0, 60);
}

TEST(SeedCrawls, Sp02DetailPageGivesItsText) {
  with_site(demo_site({.slow = false}), [](std::string base) -> Coro<> {
    http::ClientSession session;
    const auto page = co_await page_text(session, http::Url(base + "/book/3.html"));
    auto expected = demo_chapter_text(3);
    for (std::size_t i = expected.find('\n'); i != std::string::npos; i = expected.find('\n', i + 2)) {
      expected.insert(i, "\n");
    }
    EXPECT_EQ(html::parse(page).select("#content").text(), expected);
  });
}

TEST(SeedCrawls, Sp03AtMostThreeFetchesAtOnce) {
  Seen seen;
  auto app = demo_site({.chapters = 40, .slow = false});
  watch(app, seen, 2ms);
  with_site(std::move(app), [](std::string base) -> Coro<> {
    crawl::Spider spider(follow_all, {.concurrency = 3, .retry = {.tries = 0}});
    spider.start(base + "/");
    const auto stats = co_await spider.run();
    EXPECT_EQ(stats.pages, 42u);
  });
  EXPECT_EQ(seen.most, 3);
}

TEST(SeedCrawls, Sp04RelativeAddressesBecomeAbsolute) {
  Seen seen;
  http::Application app;
  watch(app, seen);
  app.get("/12/12097/", [](http::Request&) -> Coro<http::Response> {
    co_return plain_page("<a href='/12/12097/1.html'>1</a><a href='2.html'>2</a><a href='../3.html?q=1#x'>3</a>");
  });
  app.get("/{rest:path}", [](http::Request&) -> Coro<http::Response> { co_return plain_page(""); });
  with_site(std::move(app), [](std::string base) -> Coro<> {
    crawl::Spider spider(follow_all);
    spider.start(base + "/12/12097/");
    co_await spider.run();
  });
  const std::map<std::string, int> expected{
      {"/12/12097/", 1}, {"/12/12097/1.html", 1}, {"/12/12097/2.html", 1}, {"/12/3.html?q=1", 1}};
  EXPECT_EQ(seen.requests, expected);
}

Coro<> save_novel(std::string base, std::string path, std::string& printed) {
  http::ClientSession session;
  const auto index = co_await page_text(session, http::Url(base + "/index.html"));
  crawl::OrderedWriter novel(path, {.encoding = "gbk"});
  const auto chapters = chapters_of(index);
  const auto fetch = [&](const Chapter& chapter) -> Coro<int> {
    const auto number = static_cast<std::uint64_t>(&chapter - chapters.data());
    std::string page;
    try {
      page = co_await page_text(session, http::Url(base + "/index.html").join(chapter.href));
    } catch (const http::ResponseError& error) {
      novel.skip(number);
      co_return error.status();
    }
    printed += chapter.title + '\n';
    const auto text = html::parse(page).select("#content").text();
    co_await novel.put(number, "## " + chapter.title + "\n\n" + text + "\n\n", chapter.title);
    co_return 200;
  };
  // By reference, since `fetch` tells the chapters' numbers by their places.
  std::vector<std::reference_wrapper<const Chapter>> places(chapters.begin(), chapters.end());
  const auto fetch_place = [&](const std::reference_wrapper<const Chapter>& place) { return fetch(place.get()); };
  co_await crawl::map_ordered(places, 8, fetch_place);
  co_await novel.close();
  printed += "task over\n";
}

TEST(SeedCrawls, Sp05WholeNovelInOrderInGbkEqualsWhatCPythonWrites) {
  const TemporaryFolder folder;
  const DemoSiteOptions options{.chapters = 120, .slow = false};
  std::string printed;
  with_site(demo_site(options), [&](std::string base) -> Coro<> {
    co_await save_novel(base, folder / "恐怖复苏.md", printed);
    const auto command = std::string(EDDY_PYTHON) + " " + EDDY_SOURCE_DIR + "/tests/crawl/novel_oracle.py " + base +
                         "/index.html '" + (folder / "oracle.md") + "'";
    const auto oracle = [command] { return std::system(command.c_str()); };
    const int status = co_await eddy::to_thread(oracle);
    EXPECT_EQ(status, 0) << command << "\n(Debian: python3-pyquery)";
  });
  EXPECT_EQ(std::count(printed.begin(), printed.end(), '\n'), options.chapters + 1);
  EXPECT_TRUE(printed.ends_with("task over\n"));
  const auto novel = folder.read("恐怖复苏.md");
  EXPECT_GT(novel.size(), 100'000u);
  EXPECT_TRUE(novel == folder.read("oracle.md"));
}

TEST(SeedCrawls, Sp06AFailedPageDoesNotEndTheCrawl) {
  with_site(demo_site({.chapters = 120, .slow = false}), [](std::string base) -> Coro<> {
    std::set<std::string> saved;
    const auto parse = [&](crawl::Page& page) -> Coro<> {
      page.follow(page.html().select("#list dd a"));
      if (page.html().select_one("#content")) saved.insert(page.url().str());
      co_return;
    };
    crawl::Spider spider(parse, {.retry = {.tries = 0}});
    spider.start(base + "/index.html");
    co_await spider.run();
    EXPECT_EQ(saved.size(), 120u);
    const std::map<std::string, std::string> errors{{base + "/book/broken.html", "500 Internal Server Error"},
                                                    {base + "/book/gone.html", "410 Gone"},
                                                    {base + "/book/lost.html", "404 Not Found"}};
    EXPECT_EQ(spider.errors(), errors);
  });
}

// One of three chapters has what GBK has not.
http::Application emoji_site() {
  http::Application app;
  app.get("/", [](http::Request&) -> Coro<http::Response> {
    co_return plain_page("<a href=1>一</a><a href=2>二</a><a href=3>三</a>");
  });
  app.get("/{n}", [](http::Request& request) -> Coro<http::Response> {
    const auto number = request.path_param("n");
    co_return plain_page("<h1>第" + number + "章</h1><p>" + (number == "2" ? "笑😀了" : "平安") + "</p>");
  });
  return app;
}

Coro<> save_emoji_novel(std::string base, std::string path, eddy::OnError on_error, std::string& error_text) {
  crawl::OrderedWriter novel(path, {.encoding = "gbk", .on_error = on_error});
  const auto parse = [&](crawl::Page& page) -> Coro<> {
    page.follow(page.html().select("a"));
    const auto title = page.html().select("h1").text();
    if (title.empty()) novel.skip(page.sequence());
    else co_await novel.put(page.sequence(), title + ":" + page.html().select("p").text() + "\n", title);
  };
  crawl::Spider spider(parse);
  spider.start(base + "/");
  co_await spider.run();
  co_await novel.close();
  for (const auto& [url, reason] : spider.errors()) error_text += url.substr(base.size()) + ": " + reason;
}

TEST(SeedCrawls, Sp07TextThatGbkCannotHoldIsReportedOrDropped) {
  const TemporaryFolder folder;
  std::string strict, ignore;
  with_site(emoji_site(), [&](std::string base) -> Coro<> {
    co_await save_emoji_novel(base, folder / "strict", eddy::OnError::strict, strict);
    co_await save_emoji_novel(base, folder / "ignore", eddy::OnError::ignore, ignore);
  });
  EXPECT_EQ(strict,
            "/2: piece 2 '第2章': 'gbk' codec can't encode character '\\U0001f600' in position 5: illegal multibyte "
            "sequence");
  EXPECT_EQ(eddy::decode(folder.read("strict"), "gbk"), "第1章:平安\n第3章:平安\n");
  EXPECT_EQ(ignore, "");
  EXPECT_EQ(eddy::decode(folder.read("ignore"), "gbk"), "第1章:平安\n第2章:笑了\n第3章:平安\n");
}

TEST(SeedCrawls, Sp08ThreeAtATimeTakeAThirdOfTheTimeAndGiveTheSame) {
  Seen seen;
  http::Application app;
  watch(app, seen, 20ms);
  app.get("/{n}", [](http::Request& request) -> Coro<http::Response> {
    co_return http::text_response("chapter " + request.path_param("n"));
  });
  with_site(std::move(app), [](std::string base) -> Coro<> {
    http::ClientSession session;
    std::vector<std::string> urls;
    for (int i = 0; i < 30; ++i) urls.push_back(base + "/" + std::to_string(i));
    const auto fetch = [&](const std::string& url) { return page_text(session, http::Url(url)); };
    auto& loop = eddy::get_running_loop();
    const auto start = loop.time();
    const auto one_by_one = co_await crawl::map_ordered(urls, 1, fetch);
    const auto middle = loop.time();
    const auto three = co_await crawl::map_ordered(urls, 3, fetch);
    const auto end = loop.time();
    EXPECT_EQ(one_by_one, three);
    EXPECT_GE(middle - start, 600ms);
    EXPECT_GE(end - middle, 200ms);
    EXPECT_LT((end - middle) * 2, middle - start);
  });
}

TEST(SeedCrawls, Sp09WholeSiteOfThousandPagesEachFetchedOnce) {
  Seen seen;
  http::Application app;
  watch(app, seen);
  app.get("/{n}", [](http::Request& request) -> Coro<http::Response> {
    const int page = std::stoi(request.path_param("n"));
    std::string body;
    for (int i = 1; i <= 20; ++i) {
      const auto target = std::to_string((page * 7 + i * i) % 1000);
      body += "<a href='" + std::string(i % 2 ? "./" : "/") + target + "#" + std::to_string(i) + "'>x</a>";
    }
    co_return plain_page(body);
  });
  with_site(std::move(app), [](std::string base) -> Coro<> {
    crawl::Spider spider(follow_all);
    spider.start(base + "/0");
    const auto stats = co_await spider.run();
    EXPECT_EQ(stats.pages, 1000u);
    EXPECT_EQ(stats.failed, 0u);
    EXPECT_EQ(stats.duplicates, 1000u * 20 - 999);
  });
  EXPECT_EQ(seen.requests.size(), 1000u);
  for (const auto& [target, count] : seen.requests) EXPECT_EQ(count, 1) << target;
}

TEST(SeedCrawls, Sp10DelayUserAgentCookiesAndNoDuplicates) {
  Seen seen;
  http::Application app;
  watch(app, seen);
  app.get("/", [](http::Request&) -> Coro<http::Response> {
    auto response = plain_page("<a href=1></a><a href=2></a><a href=3></a><a href=4></a><a href=1#x></a>");
    response.header("Set-Cookie", "visitor=7; Path=/");
    co_return response;
  });
  app.get("/{n}", [](http::Request&) -> Coro<http::Response> { co_return plain_page("<a href=/>"); });
  with_site(std::move(app), [](std::string base) -> Coro<> {
    crawl::Spider spider(follow_all, {.user_agent = "polite/1.0 (+http://example.org)", .delay = 100ms});
    spider.start(base + "/");
    co_await spider.run();
  });
  ASSERT_EQ(seen.starts.size(), 5u);
  const auto mean = (seen.starts.back() - seen.starts.front()) / 4;
  EXPECT_GE(mean, 90ms);
  EXPECT_LE(mean, 110ms);
  EXPECT_EQ(seen.user_agents, std::set<std::string>{"polite/1.0 (+http://example.org)"});
  EXPECT_EQ(seen.cookies, (std::vector<std::string>{"", "visitor=7", "visitor=7", "visitor=7", "visitor=7"}));
}

TEST(SeedCrawls, Ht02ErrorSetHasExactlyThoseThatFailed) {
  http::Application app;
  app.get("/good", [](http::Request&) -> Coro<http::Response> { co_return plain_page("fine"); });
  app.get("/broken", [](http::Request&) -> Coro<http::Response> { co_return http::Response(500); });
  with_site(std::move(app), [](std::string base) -> Coro<> {
    crawl::Spider spider(follow_all, {.retry = {.tries = 0}});
    for (const auto* path : {"/missing", "/broken", "/good"}) spider.start(base + path);
    const auto stats = co_await spider.run();
    EXPECT_EQ(spider.error_urls(), (std::set<std::string>{base + "/missing", base + "/broken"}));
    EXPECT_EQ(stats.pages, 1u);
  });
}

// What only real connections can do.
TEST(RealPages, TooLargeSlowAndBrokenOffPagesAreErrors) {
  http::Application app;
  app.get("/large", [](http::Request&) -> Coro<http::Response> {
    co_return http::stream_response([](http::ResponseWriter& out) -> Coro<> {
      const std::string block(100'000, 'x');
      for (int i = 0; i < 1000; ++i) co_await out.write(block);
    });
  });
  app.get("/slow", [](http::Request&) -> Coro<http::Response> {
    co_await eddy::sleep(10s);
    co_return http::Response();
  });
  with_site(std::move(app), [](std::string base) -> Coro<> {
    crawl::Spider spider(follow_all, {.timeout = 300ms, .retry = {.tries = 0}, .max_page_bytes = 1'000'000});
    for (const auto* path : {"/large", "/slow"}) spider.start(base + path);
    co_await spider.run();
    const auto errors = spider.errors();
    EXPECT_EQ(errors.at(base + "/large"), "body of more than 1000000 bytes");
    EXPECT_EQ(errors.at(base + "/slow"), "not done within 300ms");
  });
}

TEST(DemoSite, IsCrawledWholeUnderItsRobotsFile) {
  with_site(demo_site({.slow = false}), [](std::string base) -> Coro<> {
    std::string damaged;
    const auto parse = [&](crawl::Page& page) -> Coro<> {
      page.follow(page.html().select("a"));
      if (page.url().path() == "/book/42.html") damaged = page.html().select("#content").text();
      co_return;
    };
    crawl::Spider spider(parse, {.obey_robots = true, .retry = {.tries = 0}});
    spider.start(base + "/");
    const auto stats = co_await spider.run();
    EXPECT_EQ(stats.pages, demo_site_facts().pages);
    EXPECT_EQ(stats.failed, demo_site_facts().failed);
    EXPECT_EQ(stats.redirects, 2u);
    EXPECT_EQ(stats.forbidden, 1u);
    EXPECT_NE(damaged.find("\uFFFD"), std::string::npos);
  });
}

}  // namespace

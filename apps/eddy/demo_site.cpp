// SPDX-License-Identifier: MIT
#include "demo_site.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <eddy/charset.hpp>
#include <eddy/http/http_error.hpp>
#include <eddy/tasks.hpp>
#include <optional>
#include <string_view>

namespace {

namespace http = eddy::http;
using eddy::Coro;
using std::chrono::milliseconds;

constexpr int kDamagedChapter = 42;
constexpr int kMovedChapter = 7;
constexpr std::array kSlowChapters{150, 220};

constexpr std::array<std::string_view, 12> kPlaces{"旧书店", "江边的渡口", "灯塔",     "山下的茶馆", "雨中的车站", "空荡的剧院",
                                                   "北方的小镇", "图书馆", "无人的码头", "老钟楼",     "雪后的院子", "长街尽头"};
constexpr std::array<std::string_view, 12> kPeople{"林晚", "沈先生", "守夜人", "阿宁",   "老船夫", "抄书的少年",
                                                   "周医生", "画师",   "信使",   "陌生人", "苏姑娘", "卖灯的老人"};
constexpr std::array<std::string_view, 14> kActions{
    "慢慢推开了门",       "把信读了三遍",     "听见远处的钟声",   "没有回头",         "点起了一盏灯",
    "望着窗外的雨",       "数着台阶往下走",   "忽然想起一个名字", "在纸上写下一行字", "把钥匙放回口袋",
    "等着下一班船",       "合上了那本旧书",   "轻轻叹了一口气",   "终于笑了起来"};
constexpr std::array<std::string_view, 12> kThoughts{
    "夜色比想象中更深",         "谁也不知道答案在哪里",   "风从四面八方吹来",   "时间好像停在了这一刻",
    "灯火一盏一盏地亮起来",     "潮水又一次漫过石阶",     "这件事要从很久以前说起", "纸上的墨迹还没有干",
    "远处传来断断续续的歌声",   "所有的路都通向同一个地方", "没有人再提起那场大火", "天亮以前一切都会过去"};
constexpr std::array<std::string_view, 10> kTitles{"渡口", "来信", "灯火", "旧约", "夜航", "雨声", "归人", "钟楼", "雪路", "长街"};

// The same text on every machine: Numerical Recipes' linear congruential generator.
class Dice {
 public:
  explicit Dice(int seed) noexcept : state_(static_cast<std::uint32_t>(seed) * 2654435761u) {}
  template <class List>
  std::string_view pick(const List& list) noexcept {
    return list[below(list.size())];
  }
  std::size_t below(std::size_t bound) noexcept {
    state_ = state_ * 1664525u + 1013904223u;
    return (state_ >> 8) % bound;
  }

 private:
  std::uint32_t state_;
};

// 1 … 999 as chapters are counted: 十, 十二, 一百零三.
std::string chinese_number(int n) {
  constexpr std::array<std::string_view, 10> kDigits{"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"};
  const auto digit = [&](int d) { return std::string(kDigits[static_cast<std::size_t>(d)]); };
  std::string text;
  if (n >= 100) text += digit(n / 100) + "百";
  const int tens = n / 10 % 10;
  if (tens > 0) text += (n >= 20 ? digit(tens) : "") + "十";
  else if (n > 100 && n % 10 != 0) text += "零";
  if (n % 10 != 0) text += digit(n % 10);
  return text;
}

std::string chapter_path(int number) { return "/book/" + std::to_string(number) + ".html"; }

http::Response gbk_page(const std::string& html) {
  http::Response response(200, eddy::encode(html, "gbk"));
  response.header("Content-Type", "text/html");
  return response;
}

std::string page_head(const std::string& title) {
  return "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=gb2312\">\n<title>" + title +
         "</title></head>\n";
}

std::string index_html(int chapters) {
  auto html = page_head("灯火与渡口") + "<body><h1>灯火与渡口</h1>\n<dl id=\"list\"><dt>正文\n";
  const auto entry = [&](const std::string& path, const std::string& title) {
    html += "<dd><a href=\"" + path + "\">" + title + "</a>\n";
  };
  for (int n = 1; n <= chapters; ++n) {
    entry(n == kMovedChapter ? "/chapter/" + std::to_string(n) : chapter_path(n), demo_chapter_title(n));
    if (n == 50) entry("/book/lost.html", "遗失的一章");
    if (n == 100) entry("book/broken.html#part2", "损坏的一章");
  }
  entry("/book/gone.html", "删去的一章");
  return html + "</dl>\n<p id=\"foot\"><a href=\"/private/notes.html\">作者手记</a></body></html>\n";
}

std::string chapter_html(int number, int chapters) {
  const auto title = demo_chapter_title(number);
  auto html = page_head(title + " - 灯火与渡口") + "<body><div id=\"chapter\"><h1>" + title +
              "</h1>\n<div class=\"nav\">";
  if (number > 1) html += "<a class=\"prev\" href=\"" + std::to_string(number - 1) + ".html\">上一章</a> ";
  html += "<a class=\"index\" href=\"../index.html\">目录</a> ";
  if (number < chapters) html += "<a class=\"next\" href=\"" + std::to_string(number + 1) + ".html\">下一章</a>";
  html += "</div>\n<div id=\"content\">";
  const auto whole = demo_chapter_text(number);
  std::string_view text = whole;
  while (!text.empty()) {
    const auto end = text.find('\n');
    html += "&nbsp;&nbsp;&nbsp;&nbsp;" + std::string(text.substr(0, end)) + "<br>\n<br>\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return html + "</div></div></body></html>\n";
}

// A lead byte without its second, and bytes that GBK does not have, as broken uploads leave them.
void damage(std::string& bytes) {
  const auto place = bytes.find("<div id=\"content\">");
  bytes.insert(place + 18, "\xFF\x80");
  bytes.insert(bytes.find("<br>", place), "\x81");
}

std::optional<int> chapter_number(const std::string& name, int chapters) {
  if (name.empty() || name.size() > 4 || name.find_first_not_of("0123456789") != std::string::npos) return {};
  const int number = std::stoi(name);
  return number >= 1 && number <= chapters && name[0] != '0' ? std::optional(number) : std::nullopt;
}

milliseconds pause_before(int chapter) {
  for (const int slow : kSlowChapters) {
    if (chapter == slow) return milliseconds(1000);
  }
  return milliseconds(5 + chapter * 37 % 31);
}

Coro<http::Response> answer_chapter(std::string file, DemoSiteOptions options) {
  if (file == "broken.html") co_return http::text_response("the database is away\n", 500);
  if (file == "gone.html") co_return http::text_response("deleted by the author\n", 410);
  std::optional<int> number;
  if (file.ends_with(".html")) number = chapter_number(file.substr(0, file.size() - 5), options.chapters);
  if (!number) co_return http::text_response("no such chapter\n", 404);
  if (options.slow) co_await eddy::sleep(pause_before(*number));
  auto response = gbk_page(chapter_html(*number, options.chapters));
  if (*number == kDamagedChapter) {
    auto bytes = response.body();
    damage(bytes);
    response.set_body(std::move(bytes));
  }
  co_return response;
}

}  // namespace

std::string demo_chapter_title(int number) {
  return "第" + chinese_number(number) + "章 " +
         std::string(kTitles[static_cast<std::size_t>(number * 7 % 10)]);
}

std::string demo_chapter_text(int number) {
  Dice dice(number);
  std::string text;
  const auto paragraphs = 12 + dice.below(8);
  for (std::size_t p = 0; p < paragraphs; ++p) {
    const auto sentences = 2 + dice.below(4);
    for (std::size_t s = 0; s < sentences; ++s) {
      (((text += dice.pick(kPlaces)) += "里，") += dice.pick(kPeople)) += dice.pick(kActions);
      ((text += "，") += dice.pick(kThoughts)) += "。";
    }
    if (p + 1 < paragraphs) text += '\n';
  }
  return text;
}

DemoSiteFacts demo_site_facts(const DemoSiteOptions& options) {
  const std::size_t broken = 1 + (options.chapters >= 50) + (options.chapters >= 100);
  return {static_cast<std::size_t>(options.chapters) + 1, broken};
}

http::Application demo_site(const DemoSiteOptions& options) {
  http::Application site;
  site.get("/", [](http::Request&) -> Coro<http::Response> { co_return http::redirect_response("/index.html"); });
  site.get("/index.html", [options](http::Request&) -> Coro<http::Response> {
    co_return gbk_page(index_html(options.chapters));
  });
  site.get("/book/{file}", [options](http::Request& request) {
    return answer_chapter(request.path_param("file"), options);
  });
  site.get("/chapter/{number}", [](http::Request& request) -> Coro<http::Response> {
    co_return http::redirect_response("/book/" + request.path_param("number") + ".html", 301);
  });
  site.get("/robots.txt", [](http::Request&) -> Coro<http::Response> {
    co_return http::text_response("User-agent: *\nDisallow: /private/\n");
  });
  site.get("/private/notes.html", [](http::Request&) -> Coro<http::Response> {
    co_return gbk_page(page_head("作者手记") + "<body>机器人不该来这里。</body></html>");
  });
  return site;
}

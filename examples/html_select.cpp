// SPDX-License-Identifier: MIT
// The chapters of a book from its page, as such pages are: old charset, open tags, a damaged byte.
//
//     $ ./html_select
//     目录
//     1. 新书的一些话 -> /12/12097/7563947.html
//     2. 第一章 -> /12/12097/7563948.html
#include <eddy/html.hpp>

#include <iostream>
#include <span>
#include <string>
#include <string_view>

namespace html = eddy::html;

// What a server sent: the text in GBK, with one byte that GBK does not have.
std::string fetched_page() {
  const std::string_view text = R"(<html><head><meta charset="gbk"><title> 目录 </title></head>
    <dl id="list"><dt>正文
      <dd><a href="/12/12097/7563947.html">新书的<b>一些话</b></a>
      <dd><a href="/12/12097/7563948.html">第一章</a>
    </dl></html>)";
  return eddy::encode(text, "gbk") + "\xFF";
}

int main() {
  const auto page = fetched_page();
  const auto document = html::parse(std::as_bytes(std::span(page)));
  std::cout << document.title() << '\n';
  int number = 0;
  for (const auto& link : document.select("#list dd a[href]")) {
    std::cout << ++number << ". " << link.text() << " -> " << *link.attr("href") << '\n';
  }
}

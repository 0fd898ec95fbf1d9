// SPDX-License-Identifier: MIT
#include <eddy/http/media_type.hpp>

#include <gtest/gtest.h>

namespace eddy::http {
namespace {

std::string read(std::string_view text) {
  const auto type = parse_media_type(text);
  if (!type) return "none";
  std::string shown = type->essence;
  for (const auto& [name, value] : type->parameters) shown += ";" + name + "=[" + value + "]";
  return shown;
}

TEST(MediaType, HasEssenceAndParameters) {
  EXPECT_EQ(read("text/html; charset=utf-8"), "text/html;charset=[utf-8]");
  EXPECT_EQ(read("Text/HTML;Charset=\"GBK\""), "text/html;charset=[GBK]");
  EXPECT_EQ(read(" application/json "), "application/json");
  EXPECT_EQ(parse_media_type("text/html;charset=gb2312")->charset(), "gb2312");
  EXPECT_EQ(parse_media_type("text/html")->charset(), "");
}

TEST(MediaType, DamagedParametersAreLeftOut) {
  EXPECT_EQ(read("text/html; charset; a=b"), "text/html;a=[b]");
  EXPECT_EQ(read("text/html; charset=; a=b"), "text/html;a=[b]");
  EXPECT_EQ(read("text/html;;; charset=x ; charset=y"), "text/html;charset=[x]");
  EXPECT_EQ(read("text/html;charset=\"a\\\"b;c\" rubbish; d=e"), "text/html;charset=[a\"b;c];d=[e]");
  EXPECT_EQ(read("text/html;charset=\"open"), "text/html;charset=[open]");
  EXPECT_EQ(read("text/html; =x; a b=c"), "text/html");
}

TEST(MediaType, NeedsTypeAndSubtype) {
  for (auto text : {"", "text", "/html", "text/", "te xt/html", "text/ht ml", ";charset=x"})
    EXPECT_EQ(read(text), "none");
}

TEST(MediaType, OfFilesIsKnownByTheirEnd) {
  EXPECT_EQ(media_type_of_file("a/b.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(media_type_of_file("style.min.css"), "text/css; charset=utf-8");
  EXPECT_EQ(media_type_of_file("x.woff2"), "font/woff2");
  EXPECT_EQ(media_type_of_file("archive.tar.gz"), "application/gzip");
  for (auto path : {"", "README", "a.b/c", "x.", "x.unknownending", "x.verylongendingindeed"})
    EXPECT_EQ(media_type_of_file(path), "application/octet-stream") << path;
}

TEST(MediaType, TextIsWorthCompressing) {
  for (auto type :
       {"text/plain", "Text/HTML; charset=x", "application/json", "image/svg+xml", "application/ld+json"})
    EXPECT_TRUE(is_compressible(type)) << type;
  for (auto type : {"image/png", "video/mp4", "application/zip", "font/woff2", ""})
    EXPECT_FALSE(is_compressible(type)) << type;
}

}  // namespace
}  // namespace eddy::http

// SPDX-License-Identifier: MIT
#include <eddy/crawl/item.hpp>

#include <eddy/exceptions.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using eddy::crawl::Item;
using eddy::crawl::to_csv;
using eddy::crawl::to_json;

Item sample() {
  Item item;
  item.set("title", "目录 \"a\"\n\x01").set("n", 42).set_null("none");
  item.set("all", std::vector<std::string>{"x", "y,z"});
  return item;
}

TEST(Item, KeepsTheOrderOfItsFields) {
  Item item;
  item.set("b", "1").set("a", "2").set("b", "3");
  EXPECT_EQ(to_json(item), R"({"b":"3","a":"2"})");
  EXPECT_EQ(item.text("a"), "2");
  EXPECT_EQ(item.text("missing"), "");
  EXPECT_EQ(item.find("missing"), nullptr);
}

TEST(Item, JsonHasEveryKindOfValue) {
  EXPECT_EQ(to_json(sample()), "{\"title\":\"目录 \\\"a\\\"\\n\\u0001\",\"n\":42,\"none\":null,\"all\":[\"x\",\"y,z\"]}");
  EXPECT_EQ(to_json(Item()), "{}");
}

TEST(Item, JsonReplacesWhatIsNotUtf8) {
  Item item;
  item.set("k", "a\xFF" "b");
  EXPECT_EQ(to_json(item), "{\"k\":\"a\xEF\xBF\xBD" "b\"}");
}

TEST(Item, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(to_csv(sample(), {"n", "title", "all", "none", "more"}),
            "42,\"目录 \"\"a\"\"\n\x01\",\"x\ny,z\",,\r\n");
  EXPECT_EQ(eddy::crawl::csv_header({"a", "b,c"}), "a,\"b,c\"\r\n");
}

TEST(Item, CsvWithoutAColumnForAFieldIsAnError) {
  try {
    to_csv(sample(), {"n"});
    FAIL();
  } catch (const eddy::ValueError& error) {
    EXPECT_STREQ(error.what(), "csv: the item has a field 'title', for which there is no column");
  }
}

}  // namespace

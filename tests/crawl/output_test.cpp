// SPDX-License-Identifier: MIT
// Feed and OrderedWriter: what ends up in the files.
#include <eddy/crawl/feed.hpp>
#include <eddy/crawl/map_ordered.hpp>
#include <eddy/crawl/ordered_writer.hpp>

#include "crawl/files.hpp"
#include "support.hpp"

namespace {

using namespace eddy::crawl;

Item item(int number) {
  Item result;
  result.set("n", number);
  return result;
}

Coro<> write_items(std::string path, Format format, int count) {
  Feed feed(path, {.format = format, .batch_bytes = 100});
  for (int i = 0; i < count; ++i) co_await feed.write(item(i));
  co_await feed.close();
  co_await feed.close();
  EXPECT_EQ(feed.items(), static_cast<std::size_t>(count));
}

TEST(Feed, WritesJsonLinesInBatches) {
  const TemporaryFolder folder;
  eddy::run(write_items(folder / "items.jsonl", Format::jsonl, 1000));
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += "{\"n\":" + std::to_string(i) + "}\n";
  EXPECT_EQ(folder.read("items.jsonl"), expected);
}

TEST(Feed, WritesCsvWithTheFieldsOfTheFirstItem) {
  const TemporaryFolder folder;
  eddy::run(write_items(folder / "items.csv", Format::csv, 2));
  EXPECT_EQ(folder.read("items.csv"), "n\r\n0\r\n1\r\n");
}

TEST(Feed, EmptiesTheFileAtOnce) {
  const TemporaryFolder folder;
  eddy::run(write_items(folder / "f", Format::jsonl, 1));
  eddy::run(write_items(folder / "f", Format::jsonl, 0));
  EXPECT_EQ(folder.read("f"), "");
}

TEST(Feed, NamesTheFileItCannotOpen) {
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, Feed("/nowhere/at/all")),
            "open '/nowhere/at/all': No such file or directory");
}

Coro<> write_to_full_disk() {
  Feed feed("/dev/full", {.batch_bytes = 1});
  co_await feed.write(item(1));
}

TEST(Feed, NamesTheFileItCannotWrite) {
  EXPECT_EQ(TEXT_OF(eddy::OSError, eddy::run(write_to_full_disk())), "write '/dev/full': No space left on device");
}

Coro<> lose_nothing(std::string path) {
  Feed feed(path, {.batch_bytes = 1});
  auto first = eddy::create_task(feed.write(item(1)));
  auto second = eddy::create_task(feed.write(item(2)));
  co_await eddy::sleep(0s);
  first.cancel();
  second.cancel();
  co_await eddy::sleep(10ms);
  EXPECT_TRUE(second.cancelled());
  co_await feed.close();
}

TEST(Feed, CancelledWritesLoseNoItem) {
  const TemporaryFolder folder;
  eddy::run(lose_nothing(folder / "f"));
  EXPECT_EQ(folder.read("f"), "{\"n\":1}\n{\"n\":2}\n");
}

Coro<> write_pieces(std::string path) {
  OrderedWriter writer(path, {.encoding = "gbk", .batch_bytes = 1});
  co_await writer.put(2, "二");
  co_await writer.put(1, "一");
  EXPECT_EQ(writer.held(), 4u);
  writer.skip(3);
  co_await writer.put(0, "零");
  EXPECT_EQ(writer.held(), 0u);
  co_await writer.put(6, "六");
  co_await writer.put(4, "四");
  co_await writer.close();
  EXPECT_EQ(writer.pieces(), 5u);
}

TEST(OrderedWriter, WritesPiecesInTheirOrder) {
  const TemporaryFolder folder;
  eddy::run(write_pieces(folder / "book"));
  EXPECT_EQ(eddy::decode(folder.read("book"), "gbk"), "零一二四六");
}

Coro<> write_emoji(std::string path, eddy::OnError on_error, std::string& text) {
  OrderedWriter writer(path, {.encoding = "gbk", .on_error = on_error});
  try {
    co_await writer.put(0, "第一章 😀\n", "第一章");
  } catch (const PieceError& error) {
    text = error.what();
    EXPECT_EQ(error.index(), 0u);
    EXPECT_EQ(error.name(), "第一章");
  }
  co_await writer.put(1, "第二章\n");
  co_await writer.close();
}

TEST(OrderedWriter, ReportsThePieceThatItsCharsetCannotHold) {
  const TemporaryFolder folder;
  std::string text;
  eddy::run(write_emoji(folder / "book", eddy::OnError::strict, text));
  EXPECT_EQ(text,
            "piece 0 '第一章': 'gbk' codec can't encode character '\\U0001f600' in position 4: illegal multibyte "
            "sequence");
  EXPECT_EQ(eddy::decode(folder.read("book"), "gbk"), "第二章\n");
}

TEST(OrderedWriter, CanDropOrReplaceWhatItsCharsetCannotHold) {
  const TemporaryFolder folder;
  std::string text;
  eddy::run(write_emoji(folder / "ignore", eddy::OnError::ignore, text));
  eddy::run(write_emoji(folder / "replace", eddy::OnError::replace, text));
  EXPECT_EQ(text, "");
  EXPECT_EQ(eddy::decode(folder.read("ignore"), "gbk"), "第一章 \n第二章\n");
  EXPECT_EQ(eddy::decode(folder.read("replace"), "gbk"), "第一章 ?\n第二章\n");
}

Coro<> put_twice(std::string path) {
  OrderedWriter writer(path);
  co_await writer.put(0, "a");
  co_await writer.put(0, "b", "again");
}
Coro<> hold_too_much(std::string path) {
  OrderedWriter writer(path, {.max_held = 5});
  co_await writer.put(1, "abc");
  co_await writer.put(2, "def");
}

TEST(OrderedWriter, MisuseIsNamed) {
  const TemporaryFolder folder;
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::run(put_twice(folder / "f"))), "piece 0 'again' has come already");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::run(hold_too_much(folder / "f"))),
            "piece 2: 6 bytes wait for piece 0, the limit is 5 (OrderedWriterOptions::max_held)");
  EXPECT_EQ(TEXT_OF(eddy::UnknownCharsetError, OrderedWriter(folder / "f", {.encoding = "klingon"})),
            "unknown charset 'klingon'");
}

ASYNC_TEST(MapOrdered, GivesResultsInOrderAndKeepsTheLimit) {
  int running = 0, most = 0;
  const auto square = [&](const int& n) -> Coro<int> {
    most = std::max(most, ++running);
    co_await eddy::sleep((10 - n) * 10ms);
    --running;
    co_return n * n;
  };
  const std::vector<int> inputs{1, 2, 3, 4, 5};
  auto squares = co_await map_ordered(inputs, 3, square);
  EXPECT_EQ(squares, (std::vector<int>{1, 4, 9, 16, 25}));
  EXPECT_EQ(most, 3);
}

// SP-08: one after the other takes 5 s, three at a time 34 rounds of 50 ms.
ASYNC_TEST(MapOrdered, HundredChaptersThreeAtATimeTakeAThirdOfTheTime) {
  std::vector<int> chapters(100);
  const auto fetch = [](const int&) -> Coro<int> {
    co_await eddy::sleep(50ms);
    co_return 0;
  };
  co_await map_ordered(chapters, 3, fetch);
  EXPECT_EQ(eddy::testing::now(), 1700ms);
}

ASYNC_TEST(MapOrdered, ThrowsTheFirstErrorAndCancelsTheRest) {
  int finished = 0;
  const auto work = [&](const int& n) -> Coro<int> {
    co_await eddy::sleep(n * 1s);
    if (n == 2) throw eddy::ValueError("two");
    ++finished;
    co_return n;
  };
  const std::vector<int> inputs{1, 2, 3, 4};
  const auto error = co_await eddy::testing::error_of<eddy::ValueError>(map_ordered(inputs, 4, work));
  EXPECT_STREQ(error.what(), "two");
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(eddy::testing::now(), 2s);
}

ASYNC_TEST(MapOrdered, NothingGivesNothing) {
  const std::vector<int> inputs;
  const auto work = [](const int& n) -> Coro<int> { co_return n; };
  auto results = co_await map_ordered(inputs, 0, work);
  EXPECT_TRUE(results.empty());
}

}  // namespace

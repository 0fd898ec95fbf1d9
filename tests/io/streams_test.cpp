// SPDX-License-Identifier: MIT
// Reading: one contract over streams in memory, cut into pieces of every size, and over TCP.
#include <eddy/eddy.hpp>

#include <sys/socket.h>

#include <functional>

#include "support.hpp"

using eddy::CancelledError;
using eddy::StreamReader;
using eddy::Streams;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::settle;
using eddy::testing::stream_pair;
using eddy::testing::StreamPair;

namespace {

Coro<StreamPair> tcp_pair(std::size_t limit = 64 * 1024) {
  eddy::Queue<Streams> accepted;
  auto handler = [&](StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
    Streams streams{std::move(reader), std::move(writer)};
    accepted.put_nowait(std::move(streams));
    co_return;
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0, {.limit = limit});
  auto near = co_await eddy::open_connection("127.0.0.1", server.port(), {.limit = limit});
  auto far = co_await accepted.get();
  server.close();
  co_await server.wait_closed();
  StreamPair pair{std::move(near), std::move(far)};
  co_return pair;
}

// Sends `text` in one go and the end of the stream, and reads it with `body` on the other side.
using Body = std::function<Coro<>(StreamReader&)>;
Coro<> exchange(StreamPair pair, std::string text, const Body& body) {
  pair.near.writer.write(text);
  pair.near.writer.write_eof();
  auto reader = pair.far.reader;
  auto coroutine = body(reader);
  co_await std::move(coroutine);
}

Coro<> exchange_over_tcp(std::string text, const Body& body) {
  auto pair = co_await tcp_pair(16);
  co_await exchange(std::move(pair), std::move(text), body);
}

void over_every_piece_and_tcp(const std::string& text, const Body& body) {
  for (std::size_t piece = 1; piece <= text.size() + 1; ++piece) {
    SCOPED_TRACE("pieces of " + std::to_string(piece));
    auto main = [&]() -> Coro<> {
      auto pair = stream_pair({.piece = piece, .limit = 16});
      co_await exchange(std::move(pair), text, body);
    };
    eddy::testing::run(main());
  }
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::run(exchange_over_tcp(text, body), {.backend = backend});
  }
}

}  // namespace

TEST(StreamReading, STREAM_01_STREAM_16_ReadTakesWhatThereIsAndIsEmptyAtTheEnd) {
  over_every_piece_and_tcp("hello, world", [](StreamReader& reader) -> Coro<> {
    std::string all;
    for (;;) {
      auto part = co_await reader.read(5);
      EXPECT_LE(part.size(), 5u);
      if (part.empty()) break;
      all += part;
    }
    EXPECT_EQ(all, "hello, world");
    EXPECT_TRUE(reader.at_eof());
    auto again = co_await reader.read(5);
    EXPECT_EQ(again, "");
  });
}

TEST(StreamReading, STREAM_01_ReadWithoutANumberTakesAll) {
  over_every_piece_and_tcp("hello, world\nand more\n", [](StreamReader& reader) -> Coro<> {
    auto all = co_await reader.read();
    EXPECT_EQ(all, "hello, world\nand more\n");
    auto none = co_await reader.read();
    EXPECT_EQ(none, "");
  });
}

TEST(StreamReading, STREAM_01_STREAM_02_ReadExactlyGivesAsMuchOrThrowsWithThePart) {
  over_every_piece_and_tcp("0123456789", [](StreamReader& reader) -> Coro<> {
    auto none = co_await reader.readexactly(0);
    EXPECT_EQ(none, "");
    auto some = co_await reader.readexactly(7);
    EXPECT_EQ(some, "0123456");
    auto error = co_await error_of<eddy::IncompleteReadError>(reader.readexactly(5));
    EXPECT_STREQ(error.what(), "the stream ended after 3 of 5 bytes");
    EXPECT_EQ(error.partial(), "789");
    EXPECT_EQ(error.expected(), 5u);
  });
}

// A peer that names a length it does not send costs nothing.
TEST(StreamReading, ReadExactlyOfAnAbsurdLengthEndsWithTheStream) {
  over_every_piece_and_tcp("abc", [](StreamReader& reader) -> Coro<> {
    auto error = co_await error_of<eddy::IncompleteReadError>(reader.readexactly(std::size_t{1} << 60));
    EXPECT_EQ(error.partial(), "abc");
  });
}

TEST(StreamReading, STREAM_01_STREAM_03_ReadUntilFindsASeparatorThatIsSplit) {
  over_every_piece_and_tcp("one\r\ntwo\r\n\r\nrest", [](StreamReader& reader) -> Coro<> {
    auto first = co_await reader.readuntil("\r\n");
    EXPECT_EQ(first, "one\r\n");
    auto second = co_await reader.readuntil("\r\n\r\n");
    EXPECT_EQ(second, "two\r\n\r\n");
    auto error = co_await error_of<eddy::IncompleteReadError>(reader.readuntil("\r\n"));
    EXPECT_STREQ(error.what(), "the stream ended after 4 bytes, before the separator");
    EXPECT_EQ(error.partial(), "rest");
  });
}

TEST(StreamReading, STREAM_01_STREAM_04_LinesEndWithWhatIsLeft) {
  over_every_piece_and_tcp("a\n\nlast", [](StreamReader& reader) -> Coro<> {
    auto a = co_await reader.readline();
    EXPECT_EQ(a, "a\n");
    Log log;
    for (;;) {
      auto line = co_await reader.next();
      if (!line) break;
      log(line->size());
    }
    EXPECT_EQ(log.str(), "1, 4");
    auto end = co_await reader.readline();
    EXPECT_EQ(end, "");
  });
}

TEST(StreamReading, STREAM_03_PastItsLimitASeparatorIsRefusedAndTheBytesStay) {
  over_every_piece_and_tcp("0123456789abcdef0123\nok\n", [](StreamReader& reader) -> Coro<> {
    auto error = co_await error_of<eddy::LimitOverrunError>(reader.readuntil("\n"));
    EXPECT_GT(error.consumed(), 16u);
    EXPECT_EQ(reader.limit(), 16u);
    auto stays = co_await reader.readexactly(21);
    EXPECT_EQ(stays, "0123456789abcdef0123\n");
    auto ok = co_await reader.readline();
    EXPECT_EQ(ok, "ok\n");
  });
}

// the whole texts
ASYNC_TEST(StreamLimits, STREAM_03_SayWhatCameAndWhatTheLimitIs) {
  auto pair = stream_pair({.limit = 4});
  pair.near.writer.write("0123456789");
  auto missing = co_await error_of<eddy::LimitOverrunError>(pair.far.reader.readuntil("\n"));
  EXPECT_STREQ(missing.what(), "descriptor -1: no separator in 10 bytes; the reader's limit is 4");
  EXPECT_EQ(missing.consumed(), 10u);
  pair.near.writer.write("\n");
  co_await settle();
  auto more = co_await pair.far.reader.more();
  EXPECT_TRUE(more);
  auto late = co_await error_of<eddy::LimitOverrunError>(pair.far.reader.readuntil("\n"));
  EXPECT_STREQ(late.what(), "descriptor -1: the separator came after 10 bytes; the reader's limit is 4");
  EXPECT_EQ(late.consumed(), 10u);
}

TEST(StreamReading, ViewsAndParsersSeeTheSameBytes) {
  over_every_piece_and_tcp("one\ntwo!rest", [](StreamReader& reader) -> Coro<> {
    auto line = co_await reader.readuntil_view("\n");
    EXPECT_EQ(line, "one\n");
    auto exact = co_await reader.readexactly_view(3);
    EXPECT_EQ(exact, "two");
    for (bool more = true; more && reader.buffered().size() < 5;) more = co_await reader.more();
    EXPECT_EQ(reader.buffered(), "!rest");
    reader.consume(1);
    EXPECT_EQ(reader.buffered(), "rest");
    for (bool more = true; more;) more = co_await reader.more();
    auto rest = co_await reader.read_view();
    EXPECT_EQ(rest, "rest");
    reader.consume(100);
    EXPECT_TRUE(reader.at_eof());
  });
}

ASYNC_TEST(StreamReading, STREAM_05_BySecondTaskIsRefused) {
  auto pair = stream_pair();
  auto body = [&]() -> Coro<> { co_await pair.far.reader.read(1); };
  auto first = eddy::create_task(body());
  co_await settle();
  auto error = co_await error_of<eddy::RuntimeError>(pair.far.reader.read(1));
  EXPECT_STREQ(error.what(), "descriptor -1: another task already waits to read from it; one task reads at a time");
  pair.near.writer.write("x");
  co_await first;
  auto empty = co_await error_of<eddy::ValueError>(pair.far.reader.readuntil(""));
  EXPECT_STREQ(empty.what(), "readuntil: the separator must not be empty");
}

TEST(StreamReading, CancelledAnywhereLosesNoByte) {
  auto main = [](std::size_t piece, int cancel_after) -> Coro<std::string> {
    auto pair = stream_pair({.piece = piece});
    auto read = [&]() -> Coro<std::string> { co_return co_await pair.far.reader.readexactly(6); };
    auto task = eddy::create_task(read());
    pair.near.writer.write("abc");
    for (int i = 0; i < cancel_after; ++i) co_await eddy::sleep(0s);
    task.cancel();
    co_await settle();
    pair.near.writer.write("def");
    if (!task.cancelled()) co_return "not cancelled";
    co_return co_await pair.far.reader.readexactly(6);
  };
  for (std::size_t piece = 1; piece <= 3; ++piece) {
    for (int turns = 0; turns < 8; ++turns) {
      const auto text = eddy::testing::run(main(piece, turns));
      EXPECT_EQ(text, "abcdef") << piece << " " << turns;
    }
  }
}

BACKEND_TEST(StreamReading, CancelledOverTcpLosesNoByte) {
  auto pair = co_await tcp_pair();
  for (int i = 0; i < 20; ++i) {
    auto read = [&]() -> Coro<std::string> { co_return co_await pair.far.reader.readexactly(4); };
    auto task = eddy::create_task(read());
    co_await eddy::sleep(0s);
    pair.near.writer.write("ab");
    if (i % 2) co_await eddy::sleep(1ms);
    task.cancel();
    co_await error_of<CancelledError>(task);
    pair.near.writer.write("cd");
    auto whole = co_await pair.far.reader.readexactly(4);
    EXPECT_EQ(whole, "abcd");
  }
}

BACKEND_TEST(StreamReading, STREAM_06_IO_18_AResetWakesTheReaderAndEveryLaterRead) {
  auto pair = co_await tcp_pair();
  const linger reset{1, 0};
  ::setsockopt(pair.near.writer.fileno(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  auto read = [&]() -> Coro<> { co_await pair.far.reader.read(1); };
  auto task = eddy::create_task(read());
  co_await eddy::sleep(1ms);
  pair.near.writer.abort();
  co_await error_of<eddy::ConnectionResetError>(task);
  co_await error_of<eddy::ConnectionResetError>(pair.far.reader.read(1));
  co_await error_of<eddy::ConnectionResetError>(pair.far.writer.drain());
}

BACKEND_TEST(Pipes, IO_27_CarryBytesToTheEnd) {
  auto [reader, writer] = co_await eddy::open_pipe();
  writer.write("through ");
  writer.write("a pipe");
  writer.close();
  auto all = co_await reader.read();
  EXPECT_EQ(all, "through a pipe");
}

BACKEND_TEST(Pipes, IO_27_WhoseReaderIsGoneBreak) {
  auto ends = co_await eddy::open_pipe();
  auto writer = std::move(ends.writer);
  ends.reader = {};
  ends.writer = {};
  co_await eddy::sleep(1ms);
  writer.write("nobody reads this");
  co_await error_of<eddy::BrokenPipeError>(writer.drain());
}

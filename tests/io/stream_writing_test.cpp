// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "connected.hpp"
#include "support.hpp"

using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::settle;
using eddy::testing::stream_pair;

BACKEND_TEST(StreamWriting, STREAM_10_STREAM_12_IO_15_TenMegabytesArriveInOrderThenTheEnd) {
  auto both = co_await connected_over_tcp();
  std::string sent;
  for (int i = 0; i < 10 * 1024 * 1024 / 8; ++i) {
    sent += fmt::format("{:08}", i);
  }
  auto write = [&]() -> Coro<> {
    for (std::size_t at = 0; at < sent.size(); at += 100'000) {
      both.near.writer.write(std::string_view(sent).substr(at, 100'000));
      co_await both.near.writer.drain();
    }
    both.near.writer.write_eof();
  };
  auto task = eddy::create_task(write());
  auto received = co_await both.far.reader.read();
  co_await task;
  EXPECT_TRUE(received == sent);
}

BACKEND_TEST(StreamWriting, STREAM_10_CloseSendsWhatWasWrittenBefore) {
  auto both = co_await connected_over_tcp();
  const std::string big(4 * 1024 * 1024, 'x');
  both.near.writer.write(big);
  EXPECT_GT(both.near.writer.write_buffer_size(), 0u);
  both.near.writer.close();
  EXPECT_TRUE(both.near.writer.is_closing());
  auto wait = [&]() -> Coro<> { co_await both.near.writer.wait_closed(); };
  auto closed = eddy::create_task(wait());
  auto received = co_await both.far.reader.read();
  co_await closed;
  EXPECT_EQ(received.size(), big.size());
  EXPECT_EQ(both.near.writer.fileno(), -1);
}

ASYNC_TEST(StreamWriting, STREAM_10_AbortDropsWhatWasNotSent) {
  auto pair = stream_pair({.room = 4});
  pair.near.writer.write("0123456789");
  pair.near.writer.abort();
  pair.near.writer.abort();
  auto received = co_await pair.far.reader.read();
  EXPECT_EQ(received, "0123");
  auto error = co_await error_of<eddy::ConnectionAbortedError>(pair.near.writer.drain());
  EXPECT_STREQ(error.what(), "write to a closed stream: the connection was aborted");
  co_await pair.near.writer.wait_closed();
  pair.near.writer.write("into the void");
}

ASYNC_TEST(StreamWriting, STREAM_11_AfterCloseOrWriteEofThrows) {
  auto closed = stream_pair();
  closed.near.writer.close();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, closed.near.writer.write("x")), "write to a closed stream after close()");
  auto ended = stream_pair();
  ended.near.writer.write_eof();
  ended.near.writer.write_eof();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, ended.near.writer.write("x")), "write to descriptor -1 after write_eof()");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, ended.near.writer.writelines({"x"})), "write to descriptor -1 after write_eof()");
  co_return;
}

ASYNC_TEST(StreamWriting, STREAM_08_DrainWaitsForTheLowWaterMarkAndWakesAll) {
  auto pair = stream_pair({.room = 1024});
  co_await pair.near.writer.drain();  // nothing to wait for
  pair.near.writer.write(std::string(100 * 1024, 'x'));
  Log log;
  auto drain = [&](int id) -> Coro<> {
    co_await pair.near.writer.drain();
    log(id, pair.near.writer.write_buffer_size() <= 16 * 1024);
  };
  auto first = eddy::create_task(drain(1));
  auto second = eddy::create_task(drain(2));
  co_await settle();
  EXPECT_EQ(log.str(), "");
  co_await pair.far.reader.readexactly(100 * 1024 - 20 * 1024);
  co_await settle();
  EXPECT_EQ(log.str(), "");
  co_await pair.far.reader.readexactly(10 * 1024);
  co_await eddy::gather(first, second);
  EXPECT_EQ(log.str(), "1 1, 2 1");
}

BACKEND_TEST(StreamWriting, STREAM_07_ASlowReaderHoldsTheWriterBack) {
  auto both = co_await connected_over_tcp();
  const std::string block(64 * 1024, 'x');
  std::size_t written = 0;
  auto write = [&]() -> Coro<> {
    for (;;) {
      both.near.writer.write(block);
      written += block.size();
      co_await both.near.writer.drain();
    }
  };
  auto task = eddy::create_task(write());
  std::size_t before = 1;
  while (before != written) {
    before = written;
    co_await eddy::sleep(20ms);
  }
  EXPECT_LT(written, 64u * 1024 * 1024);
  co_await both.far.reader.readexactly(written / 2);
  while (written == before) co_await eddy::sleep(1ms);
  task.cancel();
  co_await error_of<eddy::CancelledError>(task);
}

ASYNC_TEST(StreamWriting, STREAM_14_ACorkHoldsWritesBackUntilItsEnd) {
  auto pair = stream_pair();
  {
    auto cork = pair.near.writer.cork();
    pair.near.writer.write("a");
    pair.near.writer.write("b");
    co_await settle();
    EXPECT_EQ(pair.near.writer.write_buffer_size(), 2u);
  }
  EXPECT_EQ(pair.near.writer.write_buffer_size(), 0u);
  auto got = co_await pair.far.reader.read(10);
  EXPECT_EQ(got, "ab");
  const std::vector<std::string_view> pieces{"one ", "two ", "three"};
  pair.near.writer.writelines(pieces);
  got = co_await pair.far.reader.read(100);
  EXPECT_EQ(got, "one two three");
}

ASYNC_TEST(StreamWriting, STREAM_12_TheEndUnderACorkIsSentWithIt) {
  auto pair = stream_pair();
  { auto cork = pair.near.writer.cork(); pair.near.writer.write_eof(); }
  auto got = co_await pair.far.reader.read();
  EXPECT_EQ(got, "");
  auto other = stream_pair();
  {
    auto cork = other.near.writer.cork();
    auto inner = other.near.writer.cork();
    other.near.writer.write("bye");
    other.near.writer.write_eof();
  }
  got = co_await other.far.reader.read();
  EXPECT_EQ(got, "bye");
  auto closed = stream_pair();
  {
    auto cork = closed.near.writer.cork();
    closed.near.writer.write("last");
    closed.near.writer.close();
  }
  got = co_await closed.far.reader.read();
  EXPECT_EQ(got, "last");
}

BACKEND_TEST(StreamWriting, IO_17_GoesOnAfterThePeersEnd) {
  auto both = co_await connected_over_tcp();
  both.near.writer.write_eof();
  auto end = co_await both.far.reader.read();
  EXPECT_EQ(end, "");
  both.far.writer.write("still here");
  both.far.writer.close();
  auto got = co_await both.near.reader.read();
  EXPECT_EQ(got, "still here");
}

BACKEND_TEST(StreamWriting, IO_18_STREAM_09_ToAPeerThatIsGoneFailsWithoutASignal) {
  auto both = co_await connected_over_tcp();
  both.far.writer.write("unread");
  both.near.reader = {};
  const linger reset{1, 0};
  ::setsockopt(both.near.writer.fileno(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  both.near.writer.abort();
  co_await eddy::sleep(1ms);
  for (int i = 0; i < 3; ++i) both.far.writer.write("into the void");
  co_await error_of<eddy::ConnectionError>(both.far.writer.drain());
}

BACKEND_TEST(StreamWriting, STREAM_17_DroppingTheStreamsClosesTheDescriptor) {
  auto both = co_await connected_over_tcp();
  both.near = {};
  auto end = co_await both.far.reader.read();
  EXPECT_EQ(end, "");
}

BACKEND_TEST(StreamWriting, STREAM_18_IO_30_KnowsItsAddressesAndSendsAtOnce) {
  auto both = co_await connected_over_tcp();
  EXPECT_EQ(both.near.writer.local_address(), both.far.writer.peer_address());
  EXPECT_EQ(both.near.writer.peer_address(), both.far.writer.local_address());
  for (auto* end : {&both.near, &both.far}) {
    int on = 0;
    socklen_t size = sizeof on;
    ::getsockopt(end->writer.fileno(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    EXPECT_NE(on, 0);
  }
  both.near.writer.close();
  EXPECT_FALSE(both.near.writer.peer_address());
}

TEST(StreamsOfAClosedLoop, LOOP_16_AreDeadButHarmless) {
  eddy::testing::StreamPair kept;
  {
    eddy::EventLoop loop({.backend = eddy::Backend::simulated});
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto body = [&]() -> Coro<> {
      kept = stream_pair();
      auto read = [](eddy::StreamReader reader) -> Coro<> { co_await reader.read(1); };
      eddy::create_task(read(kept.far.reader));
      co_await settle();
    };
    loop.run_until_complete(body());
  }
  kept.near.writer.write("nobody");
  kept.near.writer.close();
  EXPECT_TRUE(kept.far.reader.at_eof());
}

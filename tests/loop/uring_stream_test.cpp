// SPDX-License-Identifier: MIT

#include <deque>
#include <thread>

#include "loop/uring_sinks.hpp"

namespace eddy::detail {
namespace {

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
  return bytes;
}

// Writes without waiting. How much went.
std::size_t push(int fd, std::string_view bytes) {
  const auto count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

// Every kind of kernel that we know how to use.
std::vector<UringFeatures> kinds() {
  std::vector<UringFeatures> all;
  for (int i = 0; i < 4; ++i) {
    auto features = uring_features();
    features.deferred &= (i & 1) == 0;
    features.incremental_buffers &= (i & 2) == 0;
    all.push_back(features);
  }
  return all;
}

}  // namespace

TEST(UringStream, ReceivesAndSendsOnEachKindOfKernel) {
  NEEDS_IO_URING();
  for (const auto& features : kinds()) {
    RunningBackend backend(features);
    SocketPair pair;
    CollectingSink sink;
    sink.open(*backend, std::move(pair.ours));
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(push(pair.theirs.get(), "ping"), 4u);
      backend->poll(1'000'000'000);
      sink.send("pong");
      char answer[8] = {};
      EXPECT_EQ(::recv(pair.theirs.get(), answer, sizeof answer, 0), 4);
      EXPECT_STREQ(answer, "pong");
    }
    EXPECT_EQ(sink.came.size(), 400u);
    pair.theirs.reset();
    backend.settle();
    EXPECT_TRUE(sink.ended_reading);
    EXPECT_TRUE(sink.heard_hangup);
    EXPECT_EQ(backend->watched(), 1u);
    sink.driver.reset();
    EXPECT_EQ(backend->watched(), 0u);
  }
}

TEST(UringStream, KeepsTheOrderOfBytesOfEverySizeIntoRoomsOfEverySize) {
  NEEDS_IO_URING();
  for (const auto& features : kinds()) {
    for (std::size_t room : {1000u, 70'000u}) {
      RunningBackend backend(features);
      SocketPair pair;
      CollectingSink sink(room);
      sink.open(*backend, std::move(pair.ours));
      const auto all = pattern(3'000'000);
      // Small and large ones in turn: the stream goes over to polling and comes back.
      std::size_t at = 0, step = 0;
      constexpr std::size_t kSizes[] = {1, 64, 500, 5'000, 20'000, 20'000, 20'000, 100'000, 100'000};
      while (at < all.size()) {
        const std::size_t size = step % 90 < 60 ? 100 : kSizes[step % std::size(kSizes)];
        ++step;
        at += push(pair.theirs.get(), std::string_view(all).substr(at, size));
        if (step % 3 == 0 || at == all.size()) backend->poll(0);
      }
      for (int i = 0; i < 1000 && sink.came.size() < all.size(); ++i) backend->poll(1'000'000);
      EXPECT_EQ(sink.came, all);
      EXPECT_EQ(sink.error, 0);
    }
  }
}

TEST(UringStream, HoldsAPeerBackThatNobodyReads) {
  NEEDS_IO_URING();
  for (const auto& features : kinds()) {
    RunningBackend backend(features);
    SocketPair pair;
    CollectingSink sink;
    sink.open(*backend, std::move(pair.ours), false);
    const auto all = pattern(8'000'000);
    std::size_t at = 0;
    for (int idle = 0; idle < 20;) {
      const auto went = push(pair.theirs.get(), std::string_view(all).substr(at, 30'000));
      at += went;
      idle = went ? 0 : idle + 1;
      backend->poll(1'000'000);
    }
    EXPECT_LT(at, 4'000'000u);
    EXPECT_EQ(sink.came, "");
    sink.go_on();
    while (at < all.size()) {
      at += push(pair.theirs.get(), std::string_view(all).substr(at, 30'000));
      backend->poll(1'000'000);
    }
    for (int i = 0; i < 1000 && sink.came.size() < all.size(); ++i) backend->poll(1'000'000);
    EXPECT_EQ(sink.came, all);
  }
}

TEST(UringStream, TellsOfAHangUpThatComesWhileNobodyReads) {
  NEEDS_IO_URING();
  RunningBackend backend;
  for (const std::size_t unread : {0u, 10u, 1'000'000u}) {
    SocketPair pair;
    CollectingSink sink;
    sink.open(*backend, std::move(pair.ours), false);
    const auto bytes = pattern(unread);
    std::size_t at = 0;
    for (int idle = 0; idle < 5;) {
      const auto went = push(pair.theirs.get(), std::string_view(bytes).substr(at));
      at += went;
      idle = went ? 0 : idle + 1;
      backend->poll(1'000'000);
    }
    EXPECT_FALSE(sink.heard_hangup);
    pair.theirs.reset();
    backend.settle();
    // What does not fit into the buffers of both ends stands in front of the end of the stream.
    if (unread <= 10) {
      EXPECT_TRUE(sink.heard_hangup) << unread;
    }
    EXPECT_FALSE(sink.ended_reading);
    sink.go_on();
    for (int i = 0; i < 1000 && !sink.ended_reading; ++i) backend->poll(1'000'000);
    EXPECT_TRUE(sink.ended_reading);
    EXPECT_TRUE(sink.heard_hangup) << unread;
    EXPECT_EQ(sink.came, bytes.substr(0, at));
  }
}

// More than the buffers hold, from more streams than there are buffers; nobody reads.
TEST(UringStream, AreAllServedWhenTheBuffersRunOut) {
  NEEDS_IO_URING();
  for (const auto& features : kinds()) {
    RunningBackend backend(features);
    std::deque<CollectingSink> sinks;
    std::vector<UniqueFd> peers;
    for (int i = 0; i < 300; ++i) {
      SocketPair pair;
      sinks.emplace_back(4096).open(*backend, std::move(pair.ours), false);
      peers.push_back(std::move(pair.theirs));
    }
    const auto bytes = pattern(30'000);
    for (auto& peer : peers) ASSERT_EQ(push(peer.get(), bytes), bytes.size());
    backend.settle(20);
    for (auto& sink : sinks) sink.go_on();
    backend.settle(20);
    for (auto& sink : sinks) ASSERT_EQ(sink.came.size(), bytes.size());
    for (auto& sink : sinks) EXPECT_EQ(sink.came, bytes);
  }
}

TEST(UringStream, SendsTheRestWhenThereIsRoom) {
  NEEDS_IO_URING();
  RunningBackend backend;
  SocketPair pair;
  CollectingSink sink;
  sink.open(*backend, std::move(pair.ours));
  const auto all = pattern(2'000'000);
  sink.send(all);
  EXPECT_GT(sink.to_send.size(), 0u);
  std::string got;
  std::vector<char> buffer(100'000);
  while (got.size() < all.size()) {
    const auto count = ::recv(pair.theirs.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) got.append(buffer.data(), static_cast<std::size_t>(count));
    backend->poll(count > 0 ? 0 : 1'000'000);
  }
  EXPECT_EQ(got, all);
  EXPECT_EQ(sink.to_send, "");
}

TEST(UringStream, LearnsOfALostPeerWhenItSends) {
  NEEDS_IO_URING();
  RunningBackend backend;
  SocketPair pair;
  CollectingSink sink;
  sink.open(*backend, std::move(pair.ours), false);
  sink.send(pattern(2'000'000));  // waits for room
  backend.settle();
  EXPECT_EQ(sink.error, 0);
  pair.theirs.reset();
  backend.settle();
  EXPECT_EQ(sink.error, EPIPE);
}

TEST(UringStream, ThatIsClosedIsSeenAtOnceByThePeer) {
  NEEDS_IO_URING();
  for (const auto& features : kinds()) {
    RunningBackend backend(features);
    SocketPair pair;
    CollectingSink sink;
    sink.open(*backend, std::move(pair.ours));
    backend.settle();
    sink.driver.reset();
    char byte;
    EXPECT_EQ(::recv(pair.theirs.get(), &byte, 1, MSG_DONTWAIT), 0);
  }
}

TEST(UringStream, GoesOnAfterItMovedToAnotherRing) {
  NEEDS_IO_URING();
  auto backend = make_uring_backend(uring_features());
  SocketPair pair;
  CollectingSink sink;
  backend->run_begins();
  sink.open(*backend, std::move(pair.ours));
  ASSERT_EQ(push(pair.theirs.get(), "one"), 3u);
  backend->settle();
  std::thread([&] {
    backend->run_begins();
    backend->poll(100'000'000);
    EXPECT_EQ(push(pair.theirs.get(), "two"), 3u);
    while (sink.came.size() < 6) backend->poll(100'000'000);
    backend->settle();
  }).join();
  backend->run_begins();
  ASSERT_EQ(push(pair.theirs.get(), "three"), 5u);
  while (sink.came.size() < 11) backend->poll(100'000'000);
  EXPECT_EQ(sink.came, "onetwothree");
  backend->settle();
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// The ring behind queues and channels.
#include <eddy/detail/ring_buffer.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace {

using eddy::detail::RingBuffer;

TEST(RingBuffer, KeepsTheOrderWhileItGrowsAndGoesRound) {
  RingBuffer<std::string> ring;
  int in = 0, out = 0;
  for (int round = 1; round < 200; ++round) {
    for (int i = 0; i < round % 13; ++i) ring.push_back("item " + std::to_string(in++));
    for (int i = 0; i < round % 11 && !ring.empty(); ++i) EXPECT_EQ(ring.pop_front(), "item " + std::to_string(out++));
    EXPECT_EQ(ring.size(), static_cast<std::size_t>(in - out));
  }
  while (!ring.empty()) EXPECT_EQ(ring.pop_front(), "item " + std::to_string(out++));
  EXPECT_EQ(in, out);
}

TEST(RingBuffer, HoldsWhatCanOnlyBeMoved) {
  RingBuffer<std::unique_ptr<int>> ring;
  for (int i = 0; i < 100; ++i) ring.push_back(std::make_unique<int>(i));
  EXPECT_EQ(*ring.pop_front(), 0);
  ring.clear();
  EXPECT_TRUE(ring.empty());
  ring.push_back(std::make_unique<int>(7));
  EXPECT_EQ(*ring.pop_front(), 7);
}

TEST(RingBuffer, DestroysWhatIsLeftInIt) {
  auto counted = std::make_shared<int>(0);
  {
    RingBuffer<std::shared_ptr<int>> ring;
    for (int i = 0; i < 20; ++i) ring.push_back(std::shared_ptr<int>(counted));
    ring.pop_front();
    EXPECT_EQ(counted.use_count(), 20);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(RingBuffer, GivesALargeRingBackWhenItIsEmpty) {
  RingBuffer<std::string> ring;
  for (int i = 0; i < 10'000; ++i) ring.push_back(std::string(100, 'x'));
  while (!ring.empty()) ring.pop_front();
  ring.push_back("after");
  EXPECT_EQ(ring.pop_front(), "after");
}

// Its move may throw, so that growing copies.
struct Fragile {
  explicit Fragile(int n) : number(n) {}
  Fragile(const Fragile& other) : number(other.number) {
    if (--copies_left == 0) throw std::runtime_error("no more copies");
  }
  int number;
  static inline int copies_left = 0;
};

TEST(RingBuffer, ACopyThatFailsWhileItGrowsChangesNothing) {
  Fragile::copies_left = 1'000;
  RingBuffer<Fragile> ring;
  for (int i = 0; i < 8; ++i) ring.push_back(Fragile(i));
  Fragile::copies_left = 5;
  EXPECT_THROW(ring.push_back(Fragile(8)), std::runtime_error);
  Fragile::copies_left = 1'000;
  EXPECT_EQ(ring.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ring.pop_front().number, i);
}

}  // namespace

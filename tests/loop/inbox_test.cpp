// SPDX-License-Identifier: MIT
#include "loop/inbox.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

using eddy::detail::Dispatch;
using eddy::detail::Inbox;
using eddy::detail::ReadyNode;
using eddy::detail::ReadyQueue;

namespace {

std::vector<ReadyNode*> take(ReadyQueue& ready) {
  std::vector<ReadyNode*> nodes;
  for (auto* node = ready.take_all(); node; node = node->next_ready) nodes.push_back(node);
  return nodes;
}

}  // namespace

TEST(Inbox, GivesNodesInOrderOfArrivalBehindWhatIsReady) {
  Inbox inbox;
  ReadyQueue ready;
  ReadyNode a, b, c;
  ready.push(a);
  EXPECT_EQ(inbox.push(b), Inbox::Pushed::quietly);
  inbox.push(c);
  inbox.drain(ready);
  EXPECT_EQ(take(ready), (std::vector{&a, &b, &c}));
  inbox.drain(ready);
  EXPECT_TRUE(ready.empty());
}

TEST(Inbox, OnlyTheFirstPushToASleeperMustWakeIt) {
  Inbox inbox;
  ReadyNode a, b;
  EXPECT_TRUE(inbox.fall_asleep());
  EXPECT_EQ(inbox.push(a), Inbox::Pushed::must_wake);
  EXPECT_EQ(inbox.push(b), Inbox::Pushed::quietly);
}

TEST(Inbox, DoesNotFallAsleepOnANodeThatCameBefore) {
  Inbox inbox;
  ReadyNode node;
  inbox.push(node);
  EXPECT_FALSE(inbox.fall_asleep());
}

TEST(Inbox, OnceClosedRefusesAndGivesWhatHadCome) {
  Inbox inbox;
  ReadyQueue ready;
  ReadyNode before, after;
  inbox.push(before);
  inbox.close(ready);
  EXPECT_EQ(take(ready), std::vector{&before});
  EXPECT_EQ(inbox.push(after), Inbox::Pushed::closed);
  inbox.close(ready);
  EXPECT_TRUE(ready.empty());
}

TEST(Inbox, LosesNothingBetweenManyProducersAndOneConsumer) {
  constexpr int kThreads = 4, kEach = 20'000;
  Inbox inbox;
  std::vector<std::vector<ReadyNode>> nodes(kThreads, std::vector<ReadyNode>(kEach));
  std::vector<std::thread> threads;
  for (auto& own : nodes) {
    threads.emplace_back([&] {
      for (auto& node : own) inbox.push(node);
    });
  }
  ReadyQueue ready;
  int seen = 0;
  std::vector<const ReadyNode*> last(kThreads);
  bool in_order = true;
  while (seen < kThreads * kEach) {
    inbox.drain(ready);
    for (auto* node : take(ready)) {
      ++seen;
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (node < nodes[i].data() || node >= nodes[i].data() + kEach) continue;
        in_order = in_order && (!last[i] || node == last[i] + 1);
        last[i] = node;
      }
    }
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(in_order);
}

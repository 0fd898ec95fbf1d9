// SPDX-License-Identifier: MIT
#include "loop/timers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

using eddy::detail::TimerQueue;
using eddy::detail::WaitNode;
using eddy::detail::WaitOps;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kYear = 365 * 86400 * kSecond;

std::vector<int>* fired = nullptr;

struct Timer : WaitNode {
  explicit Timer(int name) : id(name) {
    static constexpr WaitOps kOps{nullptr, nullptr, nullptr,
                                  [](WaitNode& node) noexcept { fired->push_back(static_cast<Timer&>(node).id); }};
    ops = &kOps;
  }
  int id;
};

class Timers : public ::testing::Test {
 protected:
  Timers() { fired = &order; }
  ~Timers() override { fired = nullptr; }
  std::vector<int> order;
  TimerQueue queue;
};

}  // namespace

TEST_F(Timers, LOOP_22_FireByDeadlineAndInOrderOfArrivalOnTies) {
  Timer a(1), b(2), c(3), d(4);
  queue.add(a, 20 * kSecond);
  queue.add(b, 10 * kSecond);
  queue.add(c, 20 * kSecond);
  queue.add(d, 10 * kSecond);
  queue.expire(20 * kSecond);
  EXPECT_EQ(order, (std::vector{2, 4, 1, 3}));
  EXPECT_TRUE(queue.empty());
}

TEST_F(Timers, LOOP_20_NeverFireOneNanosecondEarly) {
  Timer timer(1);
  queue.add(timer, 5 * kSecond);
  queue.expire(5 * kSecond - 1);
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(queue.next_wakeup(), 5 * kSecond);
  queue.expire(5 * kSecond);
  EXPECT_EQ(order, std::vector{1});
}

TEST_F(Timers, AreArmedUntilTheyFireOrAreRemoved) {
  Timer a(1), b(2);
  EXPECT_FALSE(TimerQueue::is_armed(a));
  queue.add(a, 1);
  queue.add(b, 100 * kSecond);
  EXPECT_TRUE(TimerQueue::is_armed(a) && TimerQueue::is_armed(b));
  queue.expire(1);
  queue.remove(b);
  EXPECT_FALSE(TimerQueue::is_armed(a) || TimerQueue::is_armed(b));
  EXPECT_EQ(queue.next_wakeup(), TimerQueue::kNever);
}

TEST_F(Timers, LOOP_23_OfADistantFutureAreNeitherLostNorImmediate) {
  Timer century(1), never(2);
  queue.add(century, 100 * kYear);
  queue.add(never, TimerQueue::kNever);
  queue.expire(99 * kYear);
  EXPECT_TRUE(order.empty());
  queue.expire(101 * kYear);
  EXPECT_EQ(order, std::vector{1});
  queue.expire(TimerQueue::kNever);
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST_F(Timers, LOOP_26_RemovedByAnotherOfTheSameCallDoNotFire) {
  static TimerQueue* shared;
  static WaitNode* victim;
  static constexpr WaitOps kRemover{nullptr, nullptr, nullptr, [](WaitNode&) noexcept { shared->remove(*victim); }};
  Timer first(1), second(2);
  first.ops = &kRemover;
  shared = &queue;
  victim = &second;
  queue.add(first, 1);
  queue.add(second, 2);
  queue.expire(3);
  EXPECT_TRUE(order.empty());
  EXPECT_TRUE(queue.empty());
}

namespace {

// What TimerQueue does, done plainly: a sorted set.
struct Reference {
  using Key = std::tuple<std::int64_t, std::uint64_t, int>;
  std::set<Key> timers;
  std::vector<Key> keys;
  std::uint64_t orders = 0;
  std::vector<int> order;

  void add(int id, std::int64_t when) { timers.insert(keys[static_cast<std::size_t>(id)] = Key{when, orders++, id}); }
  void remove(int id) { timers.erase(keys[static_cast<std::size_t>(id)]); }
  void expire(std::int64_t now) {
    while (!timers.empty() && std::get<0>(*timers.begin()) <= now) {
      order.push_back(std::get<2>(*timers.begin()));
      timers.erase(timers.begin());
    }
  }
  std::int64_t next() const { return timers.empty() ? TimerQueue::kNever : std::get<0>(*timers.begin()); }
};

std::int64_t random_delay(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0: return 0;
    case 1: return static_cast<std::int64_t>(random() % 3) * 1'000'000;  // ties
    case 2: return static_cast<std::int64_t>(random() % (1u << 21));     // about one tick
    case 3: return static_cast<std::int64_t>(random() % (60 * kSecond));
    case 4: return std::int64_t{1} << (random() % 61);
    default: return -static_cast<std::int64_t>(random() % kSecond);  // due already
  }
}

}  // namespace

TEST_F(Timers, DoWhatASortedSetDoesIn100000RandomSteps) {
  std::mt19937_64 random(20240917);
  constexpr int kTimers = 500;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < kTimers; ++i) timers.push_back(std::make_unique<Timer>(i));
  Reference reference;
  reference.keys.resize(kTimers);
  std::int64_t now = 0;
  for (int step = 0; step < 100'000; ++step) {
    const int id = static_cast<int>(random() % kTimers);
    Timer& timer = *timers[static_cast<std::size_t>(id)];
    if (TimerQueue::is_armed(timer)) {
      queue.remove(timer);
      reference.remove(id);
    } else if (const auto when = now + random_delay(random); when >= 0) {
      queue.add(timer, when);
      reference.add(id, when);
    }
    if (step % 16 == 0) {
      // Mostly to the next deadline, as a loop does; sometimes anywhere.
      const auto next = queue.next_wakeup();
      ASSERT_LE(next, reference.next()) << "at step " << step;
      if (random() % 4 == 0) now += static_cast<std::int64_t>(random() % kSecond);
      else if (next != TimerQueue::kNever && next < std::int64_t{1} << 62) now = std::max(now, next);
      queue.expire(now);
      reference.expire(now);
      ASSERT_EQ(order, reference.order) << "at step " << step;
      ASSERT_EQ(queue.size(), reference.timers.size());
      order.clear();
      reference.order.clear();
    }
  }
  for (auto& timer : timers) {
    if (TimerQueue::is_armed(*timer)) queue.remove(*timer);
  }
  EXPECT_TRUE(queue.empty());
}

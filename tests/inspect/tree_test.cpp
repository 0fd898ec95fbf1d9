// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <eddy/eddy.hpp>
#include <cstdlib>
#include <filesystem>
#include <regex>

#include "inspect/snapshot.hpp"
#include "support.hpp"

using eddy::testing::settle;

namespace {

constexpr int kPlaysAt = __LINE__ + 1;
Coro<> play(std::string_view) { co_await eddy::sleep(1h); }

constexpr int kAlbumAt = __LINE__ + 3;
Coro<> album(std::string_view a, std::string_view b) {
  std::vector<Task<>> songs{eddy::create_task(play(a), {.name = a}), eddy::create_task(play(b), {.name = b})};
  co_await eddy::gather(songs);
}

template <class... Tasks>
Coro<> cancelled(Tasks... tasks) {
  (tasks.cancel(), ...);
  co_await settle();
}

std::vector<eddy::detail::LoopSnapshot> this_loop() {
  std::vector<eddy::detail::LoopSnapshot> loops;
  loops.push_back(eddy::detail::snapshot_of(eddy::get_running_loop().impl()));
  return loops;
}

}  // namespace

// The sample of CPython's documentation of `python -m asyncio pstree`.
ASYNC_TEST(TaskTree, ShowsWhoWaitsForWhomByLine) {
  eddy::current_task().set_name("main");
  auto one = eddy::create_task(album("TNDNBTG", "Levitate"), {.name = "Sundowning"});
  auto two = eddy::create_task(album("DYWTYLM", "Aqua Regia"), {.name = "TMBTE"});
  co_await settle();
  const auto text = eddy::format_task_tree();
  const auto expected = fmt::format(
      "├── (T) Sundowning\n"
      "│   └──  album tree_test.cpp:{0}\n"
      "│       ├── (T) TNDNBTG\n"
      "│       │   └──  play tree_test.cpp:{1}\n"
      "│       │       └── waits for sleep, 3600s left\n"
      "│       └── (T) Levitate\n"
      "│           └──  play tree_test.cpp:{1}\n"
      "│               └── waits for sleep, 3600s left\n"
      "└── (T) TMBTE\n"
      "    └──  album tree_test.cpp:{0}\n"
      "        ├── (T) DYWTYLM\n"
      "        │   └──  play tree_test.cpp:{1}\n"
      "        │       └── waits for sleep, 3600s left\n"
      "        └── (T) Aqua Regia\n"
      "            └──  play tree_test.cpp:{1}\n"
      "                └── waits for sleep, 3600s left\n",
      kAlbumAt, kPlaysAt);
  EXPECT_EQ(text.substr(text.find("├── (T) Sundowning")), expected);
  EXPECT_EQ(text.substr(0, text.find('\n')), "├── (T) main, running");
  co_await cancelled(one, two);
}

ASYNC_TEST(TaskTree, ShowsATaskThatTwoAwaitOnce) {
  auto shared = eddy::create_task(play("x"), {.name = "shared"});
  auto wait = [&]() -> Coro<> { co_await eddy::shield(shared); };
  auto a = eddy::create_task(wait(), {.name = "a"});
  auto b = eddy::create_task(wait(), {.name = "b"});
  co_await settle();
  const auto text = eddy::format_task_tree();
  EXPECT_NE(text.find("└── (T) shared\n"), std::string::npos) << text;
  EXPECT_NE(text.find("└── (T) shared (shown above)\n"), std::string::npos) << text;
  co_await cancelled(a, b, shared);
}

ASYNC_TEST(TaskTree, ThrowsOfTasksThatWaitForEachOtherInACircle) {
  Task<> a, b;
  auto wait_for = [](const Task<>& other) -> Coro<> { co_await other; };
  a = eddy::create_task(wait_for(b), {.name = "a"});
  b = eddy::create_task(wait_for(a), {.name = "b"});
  co_await settle();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::format_task_tree()),
            "tasks wait for each other in a circle, so they are no tree\n  'a' -> 'b' -> 'a'");
  // A cancel() of either would go round the circle for ever: neither can be cancelled before the other.
  auto cut = [](Task<>& one) { one.core().WaitNode::ops->detach(one.core()); };
  cut(a);
  a.core().wake_cancelled();
  co_await settle();
}

ASYNC_TEST(TaskTree, LeavesOutTheMiddleOfALongChain) {
  struct Deep {
    static Coro<> down(int depth) {
      if (depth > 0)
        co_await down(depth - 1);
      else
        co_await eddy::sleep(1h);
    }
  };
  auto task = eddy::create_task(Deep::down(9999), {.name = "deep"});
  co_await settle();
  const auto snapshot = eddy::detail::snapshot_of(task.core());
  EXPECT_EQ(snapshot.frames.size(), 64u);
  EXPECT_EQ(snapshot.frames_left_out, 10'000u - 64);
  EXPECT_NE(eddy::format_task_tree().find("└──  … 9936 more …\n"), std::string::npos);
  co_await cancelled(task);
}

TEST(Deadlock, NamesTheCircleOfLocks) {
  eddy::Lock first, second;
  auto take = [](eddy::Lock& mine, eddy::Lock& others) -> Coro<> {
    auto held = co_await mine;
    co_await eddy::sleep(1s);
    auto more = co_await others;
  };
  auto main = [&]() -> Coro<> {
    eddy::current_task().set_name("main");
    auto a = eddy::create_task(take(first, second), {.name = "a"});
    auto b = eddy::create_task(take(second, first), {.name = "b"});
    co_await eddy::gather(a, b);
  };
  const auto text = TEXT_OF(eddy::DeadlockError, eddy::testing::run(main()));
  EXPECT_EQ(text.substr(text.rfind('\n')), "\n  in a circle: 'a' -> 'b' -> 'a'");
}

// The threads that look on can wake nobody. (Not under TSan, whose own thread counts as one that could.)
TEST(Deadlock, IsFoundInAProcessThatIsOpenToInspection) {
  std::string directory = "/tmp/eddy-test-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  ::setenv("XDG_RUNTIME_DIR", directory.c_str(), 1);
  eddy::Event never;
  auto main = [&]() -> Coro<> { co_await never.wait(); };
  const auto text = TEXT_OF(eddy::DeadlockError, eddy::run(main(), {.inspect = true}));
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "deadlock: 1 task waits and nothing is left that could wake it");
  eddy::inspect::stop();
  ::unsetenv("XDG_RUNTIME_DIR");
  std::filesystem::remove_all(directory);
}

ASYNC_TEST(Table, HasALineATask) {
  const int made = __LINE__ + 1;
  auto task = eddy::create_task(play("x"), {.name = "player"});
  co_await settle();
  const auto text = eddy::detail::render_table(this_loop());
  EXPECT_TRUE(std::regex_search(text, std::regex("\n  ID +NAME +STATE +COROUTINE +MADE AT +WAITS FOR\n")))
      << text;
  const auto row =
      fmt::format("\n  0x[0-9a-f]+  player +waiting +play +tree_test.cpp:{}  sleep, 3600s left\n", made);
  EXPECT_TRUE(std::regex_search(text, std::regex(row))) << text;
  co_await cancelled(task);
}

ASYNC_TEST(Json, HoldsWhatTheTreeHolds) {
  auto task = eddy::create_task(play("x"), {.name = "a \"quoted\" \n \xff name"});
  co_await settle();
  const auto text = eddy::detail::render_json(this_loop());
  EXPECT_NE(text.find(R"("name": "a \"quoted\" \u000a � name", "state": "waiting", "coroutine": "play")"),
            text.npos)
      << text;
  EXPECT_NE(text.find(R"("waits_for": "sleep, 3600s left", "awaits": [], "held_by": null})"), text.npos)
      << text;
  co_await cancelled(task);
}

// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/fs.hpp>
#include <eddy/fs_watch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "support.hpp"

namespace fs = eddy::fs;
namespace stdfs = std::filesystem;
using eddy::testing::error_of;

namespace {

void put(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

// The next `count` events as "created a, moved a>b", without the folder's name.
Coro<std::string> told(fs::Watcher& watcher, const std::string& folder, int count) {
  const auto shorter = [&](const std::string& path) {
    return path.size() > folder.size() ? path.substr(folder.size() + 1) : path.empty() ? "" : ".";
  };
  std::string text;
  for (int i = 0; i < count; ++i) {
    auto event = co_await watcher.next();
    text += text.empty() ? "" : ", ";
    if (!event) {
      text += "end";
      break;
    }
    text += std::string(fs::to_string(event->change)) + " ";
    if (!event->from.empty()) text += shorter(event->from) + ">";
    text += shorter(event->path) + (event->is_directory ? "/" : "");
  }
  co_return text;
}

}  // namespace

BACKEND_TEST(Watch, TellsWhatHappensInADirectory) {
  auto folder = co_await fs::temporary_directory();
  auto watcher = co_await fs::watch(folder.path());
  put(folder / "a", "text");
  auto made = co_await told(watcher, folder.path(), 3);
  EXPECT_EQ(made, "created a, modified a, written a");
  ::rename((folder / "a").c_str(), (folder / "b").c_str());
  ::mkdir((folder / "d").c_str(), 0700);
  ::unlink((folder / "b").c_str());
  ::rmdir((folder / "d").c_str());
  auto more = co_await told(watcher, folder.path(), 4);
  EXPECT_EQ(more, "moved a>b, created d/, removed b, removed d/");
}

BACKEND_TEST(Watch, WakesATaskThatWaits) {
  auto folder = co_await fs::temporary_directory();
  auto watcher = co_await fs::watch(folder.path() + "/");
  auto task = eddy::create_task(told(watcher, folder.path(), 1));
  co_await eddy::sleep(5ms);
  EXPECT_FALSE(task.done());
  const auto tree = eddy::format_task_tree();
  EXPECT_NE(tree.find("changes of files (descriptor "), tree.npos) << tree;
  auto second = co_await error_of<eddy::RuntimeError>(watcher.next());
  EXPECT_EQ(std::string(second.what()), "watch '" + folder.path() + "': another task already waits for its events");
  ::mkdir((folder / "d").c_str(), 0700);
  auto event = co_await task;
  EXPECT_EQ(event, "created d/");
}

BACKEND_TEST(Watch, OfAFileEndsWithIt) {
  auto folder = co_await fs::temporary_directory();
  put(folder / "f", "");
  auto watcher = co_await fs::watch(folder / "f", {.attributes = true});
  put(folder / "f", "x");
  ::chmod((folder / "f").c_str(), 0600);
  auto changed = co_await told(watcher, folder.path(), 3);
  EXPECT_EQ(changed, "modified f, written f, attributes f");
  ::rename((folder / "f").c_str(), (folder / "g").c_str());
  auto end = co_await told(watcher, folder.path(), 2);
  EXPECT_EQ(end, "removed f, end");
  EXPECT_EQ(watcher.watched(), 0u);
}

BACKEND_TEST(Watch, OfATreeFollowsItsDirectories) {
  auto folder = co_await fs::temporary_directory();
  co_await fs::mkdir(folder / "a/b", {.parents = true});
  auto watcher = co_await fs::watch(folder.path(), {.recursive = true});
  EXPECT_EQ(watcher.watched(), 3u);
  put(folder / "a/b/f", "");
  auto deep = co_await told(watcher, folder.path(), 2);
  EXPECT_EQ(deep, "created a/b/f, written a/b/f");
  // A directory that moves takes its watches along, under its new name.
  ::rename((folder / "a").c_str(), (folder / "c").c_str());
  ::unlink((folder / "c/b/f").c_str());
  auto moved = co_await told(watcher, folder.path(), 2);
  EXPECT_EQ(moved, "moved a>c/, removed c/b/f");
  // One that leaves is watched no more.
  auto outside = co_await fs::temporary_directory();
  ::rename((folder / "c").c_str(), (outside / "c").c_str());
  auto left = co_await told(watcher, folder.path(), 1);
  EXPECT_EQ(left, "removed c/");
  put(outside / "c/b/unseen", "");
  EXPECT_EQ(watcher.watched(), 1u);
  // One that comes is.
  ::rename((outside / "c").c_str(), (folder / "e").c_str());
  auto back = co_await told(watcher, folder.path(), 3);
  EXPECT_EQ(back, "created e/, created e/b/, created e/b/unseen");
  EXPECT_EQ(watcher.watched(), 3u);
}

// Directories are made and filled as fast as another thread can: each file is told of, and once.
BACKEND_TEST(Watch, LosesNoFileOfANewDirectory) {
  auto folder = co_await fs::temporary_directory();
  auto watcher = co_await fs::watch(folder.path(), {.recursive = true});
  std::thread maker([&] {
    for (int i = 0; i < 40; ++i) {
      const auto path = folder / ("d" + std::to_string(i)) + "/deep/er";
      stdfs::create_directories(path);
      for (int j = 0; j < 3; ++j) put(path + "/f" + std::to_string(j), "");
    }
    put(folder / "last", "");
  });
  std::multiset<std::string> created;
  for (;;) {
    auto event = co_await watcher.next();
    if (event->change != fs::Change::created) continue;
    if (event->path == folder / "last") break;
    created.insert(event->path);
  }
  maker.join();
  // What was made deep inside may be told of after `last`.
  while (created.size() < 40 * 6) {
    auto event = co_await watcher.next();
    if (event->change == fs::Change::created) created.insert(event->path);
  }
  EXPECT_EQ(std::set<std::string>(created.begin(), created.end()).size(), 40u * 6);
  EXPECT_EQ(created.size(), 40u * 6);
}

BACKEND_TEST(Watch, CancelledLosesNoEvent) {
  auto folder = co_await fs::temporary_directory();
  auto watcher = co_await fs::watch(folder.path(), {.recursive = true});
  for (int i = 0; i < 10; ++i) stdfs::create_directories(folder / ("d" + std::to_string(i)) + "/x");
  std::set<std::string> seen;
  auto next = [&]() -> Coro<> {
    auto event = co_await watcher.next();
    seen.insert(event->path);
  };
  for (int i = 0; seen.size() < 20; ++i) {
    auto task = eddy::create_task(next());
    for (int turn = 0; turn < i % 5; ++turn) co_await eddy::sleep(0s);
    task.cancel();
    while (!task.done()) co_await eddy::sleep(0s);
  }
  EXPECT_EQ(seen.size(), 20u);
}

BACKEND_TEST(Watch, JoinsAMoveWhoseHalvesComeApartAndNoOther) {
  auto folder = co_await fs::temporary_directory();
  auto outside = co_await fs::temporary_directory();
  put(folder / "out", "");
  auto watcher = co_await fs::watch(folder.path());
  ::rename((folder / "out").c_str(), (outside / "out").c_str());
  auto gone = co_await told(watcher, folder.path(), 1);
  EXPECT_EQ(gone, "removed out");
  ::rename((outside / "out").c_str(), (folder / "in").c_str());
  auto back = co_await told(watcher, folder.path(), 1);
  EXPECT_EQ(back, "created in");
}

BACKEND_TEST(Watch, TellsOfErrorsAndLimits) {
  auto missing = co_await error_of<eddy::FileNotFoundError>(fs::watch("/no/where"));
  EXPECT_STREQ(missing.what(), "watch '/no/where': No such file or directory");
  auto folder = co_await fs::temporary_directory();
  for (auto name : {"a", "b", "c"}) co_await fs::mkdir(folder / name);
  auto many = co_await error_of<eddy::OSError>(fs::watch(folder.path(), {.recursive = true, .max_directories = 3}));
  EXPECT_EQ(many.error_number(), ENOSPC);
  EXPECT_NE(std::string(many.what()).find("': more than the limit of 3 directories"), std::string::npos);
  auto watcher = co_await fs::watch(folder.path(), {.recursive = true, .max_directories = 4});
  co_await fs::mkdir(folder / "d");
  auto created = co_await told(watcher, folder.path(), 1);
  EXPECT_EQ(created, "created d/");
  auto later = co_await error_of<eddy::OSError>(watcher.next());
  EXPECT_EQ(std::string(later.what()), "watch '" + folder.path() + "/d': more than the limit of 4 directories");
  put(folder / "f", "");
  auto on = co_await told(watcher, folder.path(), 1);
  EXPECT_EQ(on, "created f");
}

BACKEND_TEST(Watch, TellsThatTheKernelDroppedEvents) {
  std::size_t room = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> room;
  if (room == 0 || room > 100'000) co_return;  // not here
  auto folder = co_await fs::temporary_directory();
  auto watcher = co_await fs::watch(folder.path(), {.recursive = true});
  const auto one = folder / "one", two = folder / "two";
  put(one, "");
  for (std::size_t i = 0; i < room / 2 + 10; ++i) {  // two events each, of which none merges with the one before
    ::rename(one.c_str(), two.c_str());
    ::rename(two.c_str(), one.c_str());
  }
  bool dropped = false;
  while (!dropped) {
    auto event = co_await watcher.next();
    dropped = event->change == fs::Change::overflow;
    if (dropped) {
      EXPECT_EQ(event->path, "");
    }
  }
  put(folder / "after", "");
  for (;;) {
    auto event = co_await watcher.next();
    if (event->path == folder / "after") break;
  }
}

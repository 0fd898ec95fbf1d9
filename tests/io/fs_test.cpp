// SPDX-License-Identifier: MIT
// Files, on every back end; the thread pool works under virtual time, too.
#include <eddy/eddy.hpp>
#include <eddy/charset.hpp>
#include <eddy/fs.hpp>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support.hpp"

namespace fs = eddy::fs;
using eddy::testing::error_of;

namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

void put(const std::string& path, std::string_view text) { std::ofstream(path) << text; }
std::string get(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return std::move(text).str();
}

std::string names(const std::vector<std::string>& all, std::size_t skip = 0) {
  std::string text;
  for (const auto& name : all) text += (text.empty() ? "" : " ") + name.substr(std::min(skip, name.size()));
  return text;
}

}  // namespace

// --- File -------------------------------------------------------------------------------------------------

ASYNC_TEST(File, ReadsWritesAndTellsWhereItStands) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "file";
  {
    auto file = co_await fs::open(path, "w+");
    EXPECT_EQ(file.path(), path);
    co_await file.write("hello, ");
    co_await file.write("world\n");
    EXPECT_EQ(file.tell(), 13);
    const auto begin = co_await file.seek(7);
    EXPECT_EQ(begin, 7);
    auto word = co_await file.read(5);
    EXPECT_EQ(word, "world");
    EXPECT_EQ(file.tell(), 12);
    co_await file.write("!\n");  // where the reader was, not where it had read ahead to
    co_await file.seek(0);
    auto all = co_await file.read();
    EXPECT_EQ(all, "hello, world!\n");
    auto nothing = co_await file.read(10);
    EXPECT_EQ(nothing, "");
    const auto back = co_await file.seek(-2, fs::Whence::end);
    EXPECT_EQ(back, 12);
    const auto further = co_await file.seek(1, fs::Whence::current);
    EXPECT_EQ(further, 13);
    auto before = co_await error_of<eddy::ValueError>(file.seek(-1));
    EXPECT_EQ(std::string(before.what()), "seek in '" + path + "': -1 is before its beginning");
    co_await file.close();
    EXPECT_TRUE(file.closed());
    EXPECT_EQ(file.fileno(), -1);
    co_await file.close();
    auto closed = co_await error_of<eddy::ValueError>(file.read());
    EXPECT_EQ(std::string(closed.what()), "read '" + path + "': the file is closed");
  }
  EXPECT_EQ(get(path), "hello, world!\n");
}

ASYNC_TEST(File, HasPythonsModes) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "file";
  auto missing = co_await error_of<eddy::FileNotFoundError>(fs::open(path));
  EXPECT_EQ(std::string(missing.what()), "open '" + path + "': No such file or directory");
  {
    auto made = co_await fs::open(path, "xb");
    co_await made.write("one");
  }
  co_await error_of<eddy::FileExistsError>(fs::open(path, "x"));
  {
    auto more = co_await fs::open(path, "a+");
    EXPECT_EQ(more.tell(), 3);
    co_await more.seek(0);
    co_await more.write(" two");
    EXPECT_EQ(more.tell(), 7);
    co_await more.seek(0);
    auto all = co_await more.read();
    EXPECT_EQ(all, "one two");
  }
  {
    auto change = co_await fs::open(path, "r+b");
    co_await change.write("ONE");
  }
  EXPECT_EQ(get(path), "ONE two");
  {
    auto emptied = co_await fs::open(path, "w");
    auto status = co_await emptied.stat();
    EXPECT_EQ(status.size, 0);
    auto unreadable = co_await error_of<eddy::OSError>(emptied.read());
    EXPECT_EQ(std::string(unreadable.what()), "read '" + path + "': Bad file descriptor");
  }
  for (auto mode : {"", "q", "rw", "r++", "rbt", "+", "wa"}) {
    EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(fs::open("p", mode))),
              "open 'p': mode '" + std::string(mode) + "' is none: one of r, w, x, a, perhaps with + and b");
  }
  auto directory = co_await error_of<eddy::IsADirectoryError>(fs::open("/tmp"));
  EXPECT_STREQ(directory.what(), "open '/tmp': Is a directory");
  auto zero = co_await error_of<eddy::ValueError>(fs::open(std::string("a\0b", 3)));
  EXPECT_STREQ(zero.what(), "open 'a': the path has a zero byte in it");
}

ASYNC_TEST(File, GivesLines) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "lines";
  const std::string longer(200'000, 'x');
  put(path, "one\n\n" + longer + "\nlast");
  auto file = co_await fs::open(path);
  std::vector<std::size_t> sizes;
  while (auto line = co_await file.next()) sizes.push_back(line->size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4, 1, 200'001, 4}));
  co_await file.seek(0);
  auto piece = co_await file.readline(2);
  auto rest = co_await file.readline();
  EXPECT_EQ(piece + "," + rest, "on,e\n");
  co_await file.seek(0, fs::Whence::end);
  auto end = co_await file.readline();
  EXPECT_EQ(end, "");
}

ASYNC_TEST(File, ReadsAndWritesAtOffsetsSideBySide) {
  auto folder = co_await fs::temporary_directory();
  auto file = co_await fs::open(folder / "file", "w+");
  std::vector<Task<>> writes;
  for (int i = 9; i >= 0; --i) {
    writes.push_back(eddy::create_task(file.write_at(std::string(1000, static_cast<char>('0' + i)), i * 1000)));
  }
  for (auto& write : writes) co_await write;
  auto middle = co_await file.read_at(4, 4998);
  EXPECT_EQ(middle, "4455");
  auto end = co_await file.read_at(100, 9990);
  EXPECT_EQ(end, "9999999999");
  char bytes[3] = {};
  const auto count = co_await file.readinto_at(bytes, 0);
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(file.tell(), 0);
  co_await error_of<eddy::ValueError>(file.read_at(1, -1));
  co_await error_of<eddy::ValueError>(file.write_at("x", -1));
}

ASYNC_TEST(File, RefusesASecondOperationWhereItStands) {
  auto folder = co_await fs::temporary_directory();
  auto file = co_await fs::open(folder / "file", "w+");
  auto first = eddy::create_task(file.write("a"));
  auto second = eddy::create_task(file.write("b"));
  co_await first;
  auto error = co_await error_of<eddy::RuntimeError>(second);
  EXPECT_EQ(std::string(error.what()), "write '" + file.path() +
                                           "': another task already reads, writes or seeks there; read_at() and write_at() may run "
                                           "side by side");
}

ASYNC_TEST(File, IsCutAndFilledUp) {
  auto folder = co_await fs::temporary_directory();
  auto file = co_await fs::open(folder / "file", "w+");
  co_await file.write("0123456789");
  co_await file.truncate(4);
  co_await file.truncate(6);
  co_await file.fsync();
  co_await file.fsync(true);
  auto all = co_await file.read_at(100, 0);
  EXPECT_EQ(all, std::string("0123\0\0", 6));
  auto negative = co_await error_of<eddy::ValueError>(file.truncate(-1));
  EXPECT_EQ(std::string(negative.what()), "truncate '" + file.path() + "': -1 is no size");
}

ASYNC_TEST(File, ReadsWhatCannotSeek) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(::write(ends[1], "ab\ncd", 5), 5);
  ::close(ends[1]);
  {
    auto pipe = co_await fs::open("/proc/self/fd/" + std::to_string(ends[0]));
    auto line = co_await pipe.readline();
    auto rest = co_await pipe.read();
    EXPECT_EQ(line + rest, "ab\ncd");
    auto error = co_await error_of<eddy::OSError>(pipe.seek(0));
    EXPECT_EQ(error.error_number(), ESPIPE);
  }
  ::close(ends[0]);
  auto version = co_await fs::read_bytes("/proc/version");
  EXPECT_NE(version.find("Linux"), version.npos);
}

ASYNC_TEST(File, TellsOfAFullDisk) {
  auto full = co_await fs::open("/dev/full", "w");
  auto error = co_await error_of<eddy::OSError>(full.write("x"));
  EXPECT_STREQ(error.what(), "write '/dev/full': No space left on device");
}

// --- whole files ------------------------------------------------------------------------------------------

ASYNC_TEST(WholeFiles, AreReadAndWritten) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "file";
  const std::string much(3'000'000, 'z');
  co_await fs::write_bytes(path, much);
  auto read = co_await fs::read_bytes(path);
  EXPECT_TRUE(read == much);
  co_await fs::write_text(path, "short");
  co_await fs::write_text(path, "er", {.sync = true, .append = true});
  auto text = co_await fs::read_text(path);
  EXPECT_EQ(text, "shorter");
  auto enough = co_await fs::read_bytes(path, 7);
  EXPECT_EQ(enough, "shorter");
  auto over = co_await error_of<eddy::LimitOverrunError>(fs::read_bytes(path, 6));
  EXPECT_EQ(std::string(over.what()), "read '" + path + "': it has more than the limit of 6 bytes");
  put(path, "caf\xe9");
  auto latin = co_await fs::read_text(path, "latin1");
  EXPECT_EQ(latin, "caf\u00e9");
  co_await error_of<eddy::UnicodeDecodeError>(fs::read_text(path));
  auto directory = co_await error_of<eddy::IsADirectoryError>(fs::read_bytes(folder.path()));
  EXPECT_EQ(std::string(directory.what()), "read '" + folder.path() + "': Is a directory");
}

ASYNC_TEST(WholeFiles, AreReplacedAtOnce) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "file";
  co_await fs::write_bytes(path, "first", {.atomic = true, .permissions = 0640});
  auto status = co_await fs::stat(path);
  EXPECT_EQ(status.permissions(), 0640u);
  co_await fs::chmod(path, 0666);
  auto reader = co_await fs::open(path);
  co_await fs::write_bytes(path, "second", {.atomic = true, .sync = true});
  auto old = co_await reader.read();
  EXPECT_EQ(old, "first");
  EXPECT_EQ(get(path), "second");
  status = co_await fs::stat(path);
  EXPECT_EQ(status.permissions(), 0666u);  // whatever the umask is
  auto entries = co_await fs::listdir(folder.path());
  EXPECT_EQ(entries.size(), 1u);
  auto error = co_await error_of<eddy::FileNotFoundError>(fs::write_bytes("/no/where/file", "", {.atomic = true}));
  EXPECT_STREQ(error.what(), "write '/no/where/file': No such file or directory");
  auto both = co_await error_of<eddy::ValueError>(fs::write_bytes("f", "", {.atomic = true, .append = true}));
  EXPECT_STREQ(both.what(), "write 'f': atomic and append exclude each other");
}

ASYNC_TEST(WholeFiles, AreCopied) {
  auto folder = co_await fs::temporary_directory();
  const auto from = folder / "from", to = folder / "to";
  const std::string much(9'000'000, 'c');
  put(from, much);
  co_await fs::chmod(from, 0600);
  auto size = co_await fs::copyfile(from, to);
  EXPECT_EQ(size, much.size());
  EXPECT_TRUE(get(to) == much);
  auto status = co_await fs::stat(to);
  EXPECT_EQ(status.permissions(), 0600u);
  auto exists = co_await error_of<eddy::FileExistsError>(fs::copyfile(from, to, {.overwrite = false}));
  EXPECT_EQ(std::string(exists.what()), "open '" + to + "': File exists");
  auto same = co_await error_of<eddy::ValueError>(fs::copyfile(from, folder / "./from"));
  EXPECT_EQ(std::string(same.what()), "copy '" + from + "' to '" + folder.path() + "/./from': they are the same file");
  EXPECT_EQ(get(from).size(), much.size());
  size = co_await fs::copyfile("/proc/version", to);  // which tells no size
  EXPECT_GT(size, 0u);
  EXPECT_EQ(get(to), get("/proc/version"));
}

// --- names ------------------------------------------------------------------------------------------------

ASYNC_TEST(Names, AreMadeLookedAtMovedAndRemoved) {
  auto folder = co_await fs::temporary_directory();
  const auto deep = folder / "a/b/c";
  auto missing = co_await error_of<eddy::FileNotFoundError>(fs::mkdir(deep));
  EXPECT_EQ(std::string(missing.what()), "mkdir '" + deep + "': No such file or directory");
  co_await fs::mkdir(deep, {.parents = true});
  co_await fs::mkdir(deep + "/", {.parents = true, .exist_ok = true});
  co_await error_of<eddy::FileExistsError>(fs::mkdir(deep, {.parents = true}));
  const auto file = deep + "/file", link = folder / "link";
  put(file, "12345");
  co_await error_of<eddy::FileExistsError>(fs::mkdir(file, {.exist_ok = true}));
  co_await fs::symlink("a/b/c/file", link);
  auto target = co_await fs::readlink(link);
  EXPECT_EQ(target, "a/b/c/file");
  auto followed = co_await fs::stat(link);
  auto itself = co_await fs::stat(link, {.follow_symlinks = false});
  EXPECT_TRUE(followed.is_file());
  EXPECT_EQ(followed.size, 5);
  EXPECT_GT(followed.modified, 0);
  EXPECT_TRUE(itself.is_symlink());
  const bool there = co_await fs::exists(link);
  const bool a_file = co_await fs::is_file(link);
  const bool a_directory = co_await fs::is_directory(deep);
  EXPECT_TRUE(there && a_file && a_directory);
  co_await fs::rename(file, folder / "moved");
  const bool dangling = co_await fs::exists(link);
  EXPECT_FALSE(dangling);
  auto rename_error = co_await error_of<eddy::FileNotFoundError>(fs::rename(file, "/tmp/x"));
  EXPECT_EQ(std::string(rename_error.what()), "rename '" + file + "' to '/tmp/x': No such file or directory");
  auto link_error = co_await error_of<eddy::FileExistsError>(fs::symlink("x", link));
  EXPECT_EQ(std::string(link_error.what()), "symlink 'x' as '" + link + "': File exists");
  co_await fs::remove(link);
  co_await fs::remove(link, {.missing_ok = true});
  auto gone = co_await error_of<eddy::FileNotFoundError>(fs::remove(link));
  EXPECT_EQ(std::string(gone.what()), "remove '" + link + "': No such file or directory");
  co_await fs::rmdir(deep);
  auto full = co_await error_of<eddy::OSError>(fs::rmdir(folder / "a"));
  EXPECT_EQ(full.error_number(), ENOTEMPTY);
  co_await fs::remove_tree(folder / "a");
  co_await fs::remove_tree(folder / "a", {.missing_ok = true});
  auto tree = co_await error_of<eddy::FileNotFoundError>(fs::remove_tree(folder / "a"));
  EXPECT_EQ(std::string(tree.what()), "remove '" + folder.path() + "/a': No such file or directory");
  auto stat_error = co_await error_of<eddy::FileNotFoundError>(fs::stat(""));
  EXPECT_STREQ(stat_error.what(), "stat '': No such file or directory");
}

ASYNC_TEST(Names, RemoveTreeDoesNotFollowLinks) {
  auto folder = co_await fs::temporary_directory();
  auto other = co_await fs::temporary_directory();
  put(other / "precious", "x");
  co_await fs::mkdir(folder / "tree/sub", {.parents = true});
  co_await fs::symlink(other.path(), folder / "tree/link");
  put(folder / "tree/sub/file", "x");
  co_await fs::remove_tree(folder / "tree");
  EXPECT_EQ(get(other / "precious"), "x");
  auto left = co_await fs::listdir(folder.path());
  EXPECT_TRUE(left.empty());
}

// --- directories ------------------------------------------------------------------------------------------

ASYNC_TEST(Directories, AreListed) {
  auto folder = co_await fs::temporary_directory();
  for (int i = 0; i < 600; ++i) put(folder / std::to_string(i), "");
  co_await fs::mkdir(folder / "sub");
  co_await fs::symlink("0", folder / "ln");
  std::size_t files = 0, others = 0;
  auto entries = fs::scandir(folder.path());
  while (auto entry = co_await entries.next()) {
    EXPECT_EQ(entry->path, folder / entry->name);
    ++(entry->type == fs::EntryType::file ? files : others);
  }
  EXPECT_EQ(files, 600u);
  EXPECT_EQ(others, 2u);
  auto sorted = co_await fs::listdir(folder.path());
  EXPECT_EQ(sorted.front().name, "0");
  EXPECT_EQ(sorted.back().name, "sub");
  EXPECT_TRUE(sorted.back().is_directory());
  auto missing = fs::scandir("/no/where");
  auto error = co_await error_of<eddy::FileNotFoundError>(missing.next());
  EXPECT_STREQ(error.what(), "scandir '/no/where': No such file or directory");
  const auto before = open_descriptors();
  {
    auto early = fs::scandir(folder.path());
    co_await early.next();
  }
  EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(Directories, AreWalked) {
  auto folder = co_await fs::temporary_directory();
  const auto top = folder / "top";
  co_await fs::mkdir(top + "/a/x", {.parents = true});
  co_await fs::mkdir(top + "/b");
  put(top + "/1", "");
  put(top + "/a/2", "");
  co_await fs::symlink("a", top + "/link");
  auto walked = [&](fs::WalkOptions options, bool prune) -> Coro<std::string> {
    std::string text;
    auto steps = fs::walk(top, options);
    while (auto* step = co_await steps.next()) {
      text += step->path.substr(top.size()) + "(" + names(step->directories) + "|" + names(step->files) + ") ";
      if (prune) std::erase(step->directories, "a");
    }
    co_return text;
  };
  auto down = co_await walked({}, false);
  EXPECT_EQ(down, "(a b|1 link) /a(x|2) /a/x(|) /b(|) ");
  auto up = co_await walked({.top_down = false}, false);
  EXPECT_EQ(up, "/a/x(|) /a(x|2) /b(|) (a b|1 link) ");
  auto pruned = co_await walked({}, true);
  EXPECT_EQ(pruned, "(a b|1 link) /b(|) ");
  auto followed = co_await walked({.follow_symlinks = true}, false);
  EXPECT_EQ(followed, "(a b link|1) /a(x|2) /a/x(|) /b(|) /link(x|2) /link/x(|) ");
  auto nowhere = fs::walk("/no/where");
  co_await error_of<eddy::FileNotFoundError>(nowhere.next());
  auto skipped = fs::walk("/no/where", {.skip_errors = true});
  auto* nothing = co_await skipped.next();
  EXPECT_EQ(nothing, nullptr);
}

ASYNC_TEST(Directories, AreSearchedByPattern) {
  auto folder = co_await fs::temporary_directory();
  const auto skip = folder.path().size() + 1;
  co_await fs::mkdir(folder / "src/deep/er", {.parents = true});
  co_await fs::mkdir(folder / "src/.hidden");
  for (auto name : {"a.cpp", "b.hpp", "src/c.cpp", "src/deep/d.cpp", "src/deep/er/e.cpp", "src/.hidden/f.cpp", ".g.cpp"}) {
    put(folder / name, "");
  }
  auto found = [&](std::string pattern) -> Coro<std::string> {
    auto paths = co_await fs::glob(folder / pattern);
    co_return names(paths, skip);
  };
  auto flat = co_await found("*.cpp");
  EXPECT_EQ(flat, "a.cpp");
  auto all = co_await found("**/*.cpp");
  EXPECT_EQ(all, "a.cpp src/c.cpp src/deep/d.cpp src/deep/er/e.cpp");
  auto set = co_await found("[ab].?pp");
  EXPECT_EQ(set, "a.cpp b.hpp");
  auto middle = co_await found("src/*/*.cpp");
  EXPECT_EQ(middle, "src/deep/d.cpp");
  auto plain = co_await found("src/c.cpp");
  EXPECT_EQ(plain, "src/c.cpp");
  auto hidden = co_await found(".*.cpp");
  EXPECT_EQ(hidden, ".g.cpp");
  auto folders = co_await found("*/");
  EXPECT_EQ(folders, "src");
  auto none = co_await found("nothing/*");
  EXPECT_EQ(none, "");
  auto below = co_await found("src/deep/**");
  EXPECT_EQ(below, "src/deep/d.cpp src/deep/er src/deep/er/e.cpp");
}

// --- temporary --------------------------------------------------------------------------------------------

ASYNC_TEST(Temporary, FilesAndDirectoriesGoWithTheirObjects) {
  std::string directory, file, kept;
  {
    auto folder = co_await fs::temporary_directory({.prefix = "eddy-test-"});
    directory = folder.path();
    EXPECT_EQ(directory.rfind("/eddy-test-"), directory.size() - 17);
    co_await fs::mkdir(folder / "deep/er", {.parents = true});
    put(folder / "deep/er/file", "x");
    auto temporary = co_await fs::temporary_file({.suffix = ".txt", .directory = directory});
    file = temporary.path();
    EXPECT_TRUE(file.ends_with(".txt"));
    co_await temporary.write("text");
    EXPECT_EQ(get(file), "text");
    auto stays = co_await fs::temporary_file({.directory = directory});
    kept = stays.keep();
    auto moved = std::move(stays);
    EXPECT_EQ(moved.path(), kept);
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
  auto folder = co_await fs::temporary_directory();
  directory = folder.path();
  co_await folder.remove();
  EXPECT_FALSE(std::filesystem::exists(directory));
  auto again = co_await fs::temporary_directory();
  directory = again.keep();
  again = co_await fs::temporary_directory();
  EXPECT_TRUE(std::filesystem::exists(directory));
  std::filesystem::remove(directory);
  auto error = co_await error_of<eddy::FileNotFoundError>(fs::temporary_file({.directory = "/no/where"}));
  EXPECT_STREQ(error.what(), "mkstemp '/no/where/eddy-XXXXXX': No such file or directory");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(fs::temporary_directory({.suffix = "x"}))),
            "temporary_directory: a directory has no suffix; give a prefix");
}

// --- cancellation -----------------------------------------------------------------------------------------

// A fifo holds its reader up until somebody writes: the cancelled read is over only then, and its memory is used.
BACKEND_TEST(FileCancellation, WaitsForTheOperationThatHasBegun) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "fifo";
  EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int keep = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  auto fifo = co_await fs::open(path);
  auto read = [&]() -> Coro<> {
    char bytes[4];
    co_await fifo.readinto(bytes);
  };
  auto task = eddy::create_task(read());
  co_await eddy::sleep(20ms);
  task.cancel();
  co_await eddy::sleep(20ms);
  EXPECT_FALSE(task.done());
  EXPECT_EQ(::write(keep, "x", 1), 1);
  std::vector<Task<>> all;
  all.push_back(task);
  co_await eddy::wait(std::move(all));
  EXPECT_TRUE(task.cancelled());
  ::close(keep);
}

// /dev/zero has no end: the copy ends because it is told to.
BACKEND_TEST(FileCancellation, StopsACopyAndTakesWhatThereIsOfItAway) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "copy";
  auto task = eddy::create_task(fs::copyfile("/dev/zero", path));
  while (!std::filesystem::exists(path)) co_await eddy::sleep(0s);
  task.cancel();
  co_await error_of<eddy::CancelledError>(task);
  EXPECT_FALSE(std::filesystem::exists(path));
}

ASYNC_TEST(FileCancellation, LosesNoByteOfAReadAndCountsThoseOfAWrite) {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "file";
  put(path, "line one\nline two\n");
  auto file = co_await fs::open(path, "r+");
  for (int i = 0; i < 20; ++i) {
    auto line = [&]() -> Coro<> { co_await file.readline(); };
    auto task = eddy::create_task(line());
    for (int turn = 0; turn < i % 4; ++turn) co_await eddy::sleep(0s);
    task.cancel();
    while (!task.done()) co_await eddy::sleep(0s);
    if (!task.cancelled()) break;
    EXPECT_EQ(file.tell(), 0);
  }
  co_await file.seek(0);
  auto write = [&]() -> Coro<> { co_await file.write("LINE"); };
  auto task = eddy::create_task(write());
  co_await eddy::sleep(0s);
  task.cancel();
  while (!task.done()) co_await eddy::sleep(0s);
  const auto stands = file.tell();
  EXPECT_EQ(get(path).substr(0, 4), stands == 0 ? "line" : "LINE");
  EXPECT_TRUE(stands == 0 || stands == 4);
}

TEST(FileCancellation, AtEachAwaitLeavesNothingBehind) {
  const auto before = open_descriptors();
  auto scenario = []() -> Coro<> {
    auto folder = co_await fs::temporary_directory({.prefix = "eddy-swept-"});
    const auto path = folder / "file";
    co_await fs::write_bytes(path, "one\ntwo\n", {.atomic = true});
    auto file = co_await fs::open(path, "r+");
    while (auto line = co_await file.next()) co_await file.write_at(*line, 100);
    co_await file.close();
    co_await fs::copyfile(path, folder / "copy");
    auto temporary = co_await fs::temporary_file({.directory = folder.path()});
    auto steps = fs::walk(folder.path());
    while (auto* step = co_await steps.next()) EXPECT_EQ(step->files.size(), 3u);
    co_await folder.remove();
  };
  EXPECT_GT(eddy::testing::cancel_everywhere(scenario), 20u);
  EXPECT_GT(eddy::testing::fail_everywhere(scenario, eddy::OSError(EIO, "injected")), 10u);
  EXPECT_EQ(open_descriptors(), before);
  for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("eddy-swept-")) << entry.path();
  }
}

// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <eddy/eddy.hpp>
#include <filesystem>
#include <fstream>
#include <latch>
#include <thread>

#include "inspect/directory.hpp"
#include "support.hpp"

namespace inspect = eddy::inspect;
using eddy::detail::UniqueFd;

namespace {

// A runtime directory of its own, and nothing that serves.
class Inspect : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/eddy-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    runtime_ = pattern;
    ::setenv("XDG_RUNTIME_DIR", runtime_.c_str(), 1);
  }
  void TearDown() override {
    inspect::stop();
    std::filesystem::remove_all(runtime_);
    ::unsetenv("XDG_RUNTIME_DIR");
  }
  std::string directory() const { return runtime_ + "/eddy"; }
  std::string socket() const { return fmt::format("{}/{}.sock", directory(), ::getpid()); }

  std::string runtime_;
};

int mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? static_cast<int>(status.st_mode & 07777) : -1;
}

Coro<std::string> asked_on_a_thread(inspect::Report kind) {
  auto ask = [kind] { return inspect::report_of(::getpid(), kind); };
  co_return co_await eddy::to_thread(ask);
}

}  // namespace

TEST_F(Inspect, ListensForItsUserAloneAndCleansUp) {
  EXPECT_EQ(inspect::socket_path(), "");
  inspect::serve();
  inspect::serve();  // does nothing
  EXPECT_EQ(inspect::socket_path(), socket());
  EXPECT_EQ(mode_of(directory()), 0700);
  EXPECT_EQ(mode_of(socket()), 0600);
  inspect::stop();
  EXPECT_EQ(mode_of(socket()), -1);
  EXPECT_EQ(inspect::socket_path(), "");
}

TEST_F(Inspect, RefusesADirectoryThatOthersCanEnter) {
  std::filesystem::create_directory(directory());
  ::chmod(directory().c_str(), 0755);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, inspect::serve()),
            fmt::format("'{0}' is not safe for sockets: it must be a directory of user {1} with mode 0700, "
                        "and it is a directory "
                        "of user {1} with mode 0755",
                        directory(), ::geteuid()));
  std::filesystem::remove(directory());
  std::filesystem::create_directory_symlink("/tmp", directory());
  EXPECT_NE(TEXT_OF(eddy::RuntimeError, inspect::serve()).find("is not safe for sockets"), std::string::npos);
}

TEST_F(Inspect, RefusesAPathThatIsTooLong) {
  const auto longer = runtime_ + "/" + std::string(80, 'x');
  std::filesystem::create_directory(longer);
  ::setenv("XDG_RUNTIME_DIR", longer.c_str(), 1);
  const auto path = fmt::format("{}/eddy/{}.sock", longer, ::getpid());
  EXPECT_EQ(
      TEXT_OF(eddy::RuntimeError, inspect::serve()),
      fmt::format("'{}' has {} bytes: a socket's path has at most 107; set XDG_RUNTIME_DIR to a shorter one",
                  path, path.size()));
}

TEST_F(Inspect, ReplacesAStaleSocketAndLeavesALiveOne) {
  eddy::detail::secure_directory(directory());
  const auto address = eddy::detail::address_of_socket(socket());
  UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(other.get(), 1), 0);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, inspect::serve()),
            fmt::format("'{}' is in use: another process with this number, in another container, listens "
                        "there; give each its "
                        "own XDG_RUNTIME_DIR",
                        socket()));
  other.reset();
  inspect::serve();
  EXPECT_EQ(inspect::socket_path(), socket());
}

TEST_F(Inspect, AnswersFromTheLoopWhenItTurns) {
  auto main = []() -> Coro<> {
    eddy::current_task().set_name("main");
    auto sleeper = eddy::create_task(eddy::sleep(1h), {.name = "sleeper"});
    const auto table = co_await asked_on_a_thread(inspect::Report::table);
    EXPECT_NE(table.find("loop "), table.npos);
    EXPECT_NE(table.find("sleeper  waiting"), table.npos) << table;
    EXPECT_NE(table.find("a function on a thread"), table.npos) << table;
    const auto tree = co_await asked_on_a_thread(inspect::Report::tree);
    EXPECT_NE(tree.find("├── (T) main"), tree.npos) << tree;
    EXPECT_NE(tree.find("└── (T) sleeper"), tree.npos) << tree;
    const auto metrics = co_await asked_on_a_thread(inspect::Report::metrics);
    EXPECT_EQ(metrics.substr(metrics.size() - 6), "# EOF\n");
    const auto json = co_await asked_on_a_thread(inspect::Report::json);
    EXPECT_NE(json.find(fmt::format("{{\"pid\": {}, ", ::getpid())), json.npos) << json;
    sleeper.cancel();
  };
  eddy::run(main(), {.inspect = true});
}

TEST_F(Inspect, ReportsOnItselfFromItsOwnTask) {
  auto main = []() -> Coro<> {
    eddy::current_task().set_name("asks itself");
    EXPECT_NE(inspect::report(inspect::Report::tree).find("└── (T) asks itself, running\n"), std::string::npos);
    co_return;
  };
  eddy::run(main());
}

TEST_F(Inspect, ShowsEachLoopOfTheProcess) {
  inspect::serve();
  std::latch ready(3), over(1);
  auto main = [&](const char* name) -> Coro<> {
    eddy::current_task().set_name(name);
    auto announce = [&] {
      ready.count_down();
      over.wait();
    };
    co_await eddy::to_thread(announce);
  };
  std::thread first([&] { eddy::run(main("on the first")); });
  std::thread second([&] { eddy::run(main("on the second")); });
  ready.arrive_and_wait();
  const auto text = inspect::report_of(::getpid(), inspect::Report::table);
  over.count_down();
  first.join();
  second.join();
  EXPECT_NE(text.find("on the first"), text.npos) << text;
  EXPECT_NE(text.find("on the second"), text.npos) << text;
}

TEST_F(Inspect, SaysThatALoopRunsNowhere) {
  inspect::serve();
  eddy::EventLoop loop({.backend = eddy::Backend::epoll});
  const auto text = inspect::report_of(::getpid(), inspect::Report::table);
  EXPECT_NE(text.find(", epoll: not running\n"), text.npos) << text;
}

TEST_F(Inspect, SwitchesDebugModeFromOutside) {
  auto main = []() -> Coro<> {
    auto& loop = eddy::get_running_loop();
    for (const bool on : {true, false}) {
      auto change = [on] { inspect::set_debug_of(::getpid(), on); };
      co_await eddy::to_thread(change);
      co_await eddy::sleep(1ms);
      EXPECT_EQ(loop.get_debug(), on);
    }
  };
  eddy::run(main(), {.inspect = true});
}

TEST_F(Inspect, AnswersNonsenseWithWhatItKnows) {
  inspect::serve();
  for (const auto& question : {std::string("nonsense\n"), std::string(100, 'x'), std::string("\x01\n")}) {
    const auto fd = eddy::detail::connect_to_socket(socket());
    ASSERT_TRUE(fd);
    ASSERT_TRUE(eddy::detail::send_all(fd.get(), question));
    char answer[200] = {};
    std::size_t size = 0;
    for (ssize_t count = 1; count > 0 && size < sizeof answer;
         size += static_cast<std::size_t>(count > 0 ? count : 0)) {
      count = ::recv(fd.get(), answer + size, sizeof answer - size, 0);
    }
    EXPECT_EQ(std::string(answer, size),
              "error\nthe question must be table, tree, metrics, json, debug on or debug off\n");
  }
}

TEST_F(Inspect, SaysWhyAProcessCannotBeLookedInto) {
  const auto text = TEXT_OF(eddy::OSError, inspect::report_of(::getpid(), inspect::Report::table));
  EXPECT_EQ(
      text,
      fmt::format(
          "process {} (inspect_thread_tests) does not listen on '{}'; start it with EDDY_INSPECT=1, or call "
          "eddy::inspect::serve() in it",
          ::getpid(), socket()));
  EXPECT_EQ(TEXT_OF(eddy::ProcessLookupError, inspect::report_of(0x7ffffff0, inspect::Report::table)),
            "there is no process 2147483632");
}

TEST_F(Inspect, ListsProcessesAndForgetsDeadOnes) {
  inspect::serve();
  const auto dead = eddy::detail::socket_of(directory(), 0x7ffffff0);
  const auto address = eddy::detail::address_of_socket(dead);
  UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  other.reset();
  std::ofstream(directory() + "/not a socket") << "x";
  const auto found = inspect::processes();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, ::getpid());
  EXPECT_EQ(found[0].program, "inspect_thread_tests");
  EXPECT_EQ(mode_of(dead), -1);
}

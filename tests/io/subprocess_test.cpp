// SPDX-License-Identifier: MIT
// Children: how they are started, talked to, told to end, and laid to rest. Every test leaves no child and no
// descriptor behind: see Children.
#include <dirent.h>
#include <eddy/eddy.hpp>
#include <eddy/subprocess.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "support.hpp"

using eddy::create_subprocess_exec;
using eddy::create_subprocess_shell;
using eddy::DEVNULL;
using eddy::PIPE;
using eddy::Process;
using eddy::run_process;
using eddy::run_shell;
using eddy::STDOUT;
using eddy::testing::error_of;

namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

// This process has no child, dead or alive. What a closed loop left is laid to rest by a thread, soon.
bool no_children() {
  for (int i = 0; i < 500; ++i) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

// Each body on each back end; afterwards no child and no descriptor is left.
class Children {
 public:
  // What a test before has left to the reaper is waited for.
  Children() {
    EXPECT_TRUE(no_children());
    before_ = open_descriptors();
  }
  ~Children() {
    EXPECT_TRUE(no_children()) << "a child was left";
    for (int i = 0; i < 100 && open_descriptors() > before_; ++i) std::this_thread::sleep_for(5ms);
    EXPECT_LE(open_descriptors(), before_) << "a descriptor was left";  // less: the reaper had some at first
  }

 private:
  std::size_t before_;
};

#define CHILD_TEST(suite, name)                                                     \
  static Coro<> suite##_##name##_body();                                            \
  TEST(suite, name) {                                                               \
    const bool warm = (eddy::run(eddy::sleep(0s)), true);                           \
    ASSERT_TRUE(warm);                                                              \
    for (auto backend : eddy::available_backends()) {                               \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                          \
      const Children children;                                                      \
      eddy::run(eddy::timeout(20s, suite##_##name##_body()), {.backend = backend}); \
    }                                                                               \
  }                                                                                 \
  static Coro<> suite##_##name##_body()

// What `sh -c command` writes.
Coro<std::string> output_of(std::string command, eddy::SubprocessOptions options = {}) {
  auto done = co_await run_shell({.capture_output = true, .check = true, .process = options}, command);
  co_return done.out;
}

// It exists, and is no zombie: those of grandchildren are somebody else's to lay to rest.
bool is_alive(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return (file >> number >> name >> state) && state != "Z";
}

template <class T>
Coro<> ended(Task<T> task) {
  std::vector<Task<T>> all;
  all.push_back(task);
  co_await eddy::wait(std::move(all));
}

template <class F>
Coro<> eventually(F condition) {
  while (!condition()) co_await eddy::sleep(2ms);
}

}  // namespace

// --- starting ---------------------------------------------------------------------------------------------

CHILD_TEST(Subprocess, RunsAProgramWithArgumentsAndGivesItsExitCode) {
  auto process = co_await create_subprocess_exec({.out = PIPE}, "printf", "%s-%s", std::string("a b"), "$HOME");
  EXPECT_GT(process.pid(), 1);
  auto [out, err] = co_await process.communicate();
  EXPECT_EQ(out, "a b-$HOME");
  EXPECT_EQ(err, "");
  EXPECT_EQ(process.returncode(), 0);
  auto failing = co_await create_subprocess_shell({}, "exit 7");
  EXPECT_EQ(failing.returncode(), std::nullopt);
  const int code = co_await failing.wait();
  EXPECT_EQ(code, 7);
}

CHILD_TEST(Subprocess, TakesContainersOfArguments) {
  const std::vector<std::string> arguments{"one", "two three"};
  auto process = co_await create_subprocess_exec({.out = PIPE}, "printf", "%s;", arguments);
  auto output = co_await process.communicate();
  EXPECT_EQ(output.out, "one;two three;");
}

CHILD_TEST(Subprocess, NamesTheProgramThatCannotBeStarted) {
  auto missing = co_await error_of<eddy::FileNotFoundError>(create_subprocess_exec({}, "/no/such/program", "x"));
  EXPECT_STREQ(missing.what(), "cannot start '/no/such/program': No such file or directory");
  auto nowhere = co_await error_of<eddy::FileNotFoundError>(create_subprocess_exec({}, "no-such-program-anywhere"));
  EXPECT_STREQ(nowhere.what(), "cannot start 'no-such-program-anywhere': No such file or directory");
  auto folder = co_await error_of<eddy::PermissionError>(create_subprocess_exec({}, "/tmp"));
  EXPECT_STREQ(folder.what(), "cannot start '/tmp': Permission denied");
  auto cwd = co_await error_of<eddy::FileNotFoundError>(create_subprocess_exec({.cwd = "/no/where"}, "ls"));
  EXPECT_STREQ(cwd.what(), "cannot start 'ls' in directory '/no/where': No such file or directory");
  auto closed = co_await error_of<eddy::OSError>(create_subprocess_exec({.out = 987}, "ls"));
  EXPECT_STREQ(closed.what(), "cannot start 'ls': passing the descriptors: Bad file descriptor");
}

CHILD_TEST(Subprocess, TellsOfAScriptWithoutItsInterpreter) {
  char path[] = "/tmp/eddy-script-XXXXXX";
  const int fd = ::mkstemp(path);
  EXPECT_EQ(::write(fd, "#!/no/interpreter\n", 18), 18);
  ::fchmod(fd, 0700);
  ::close(fd);
  auto error = co_await error_of<eddy::FileNotFoundError>(create_subprocess_exec({}, path));
  EXPECT_EQ(std::string(error.what()), "cannot start '" + std::string(path) +
                                           "', whose first line names an interpreter that does not exist: No such file or directory");
  EXPECT_EQ(::truncate(path, 0), 0);
  auto plain = co_await error_of<eddy::OSError>(create_subprocess_exec({}, path));
  EXPECT_EQ(std::string(plain.what()),
            "cannot start '" + std::string(path) + "', which is no program; a script begins with #!/bin/sh: Exec format error");
  ::unlink(path);
}

CHILD_TEST(Subprocess, RefusesOptionsThatMakeNoSense) {
  using eddy::ValueError;
  auto refusal = [](Coro<Process> starting) -> Coro<std::string> {
    auto error = co_await error_of<ValueError>(std::move(starting));
    co_return error.what();
  };
  const std::string zero("a\0b", 3);
  const std::vector<std::string> environment{"A=" + zero};
  const int low[] = {2};
  auto text0 = co_await refusal(create_subprocess_exec({}, ""));
  EXPECT_EQ(text0, "cannot start '': the program has no name");
  auto text1 = co_await refusal(create_subprocess_exec({}, "ls", zero));
  EXPECT_EQ(text1, "cannot start 'ls': an argument has a zero byte in it");
  auto text2 = co_await refusal(create_subprocess_exec({.env = environment}, "ls"));
  EXPECT_EQ(text2, "cannot start 'ls': its environment has a zero byte in it");
  auto text3 = co_await refusal(create_subprocess_exec({.cwd = zero}, "ls"));
  EXPECT_EQ(text3, "cannot start 'ls': the directory has a zero byte in it");
  auto text4 = co_await refusal(create_subprocess_exec({.out = STDOUT}, "ls"));
  EXPECT_EQ(text4, "cannot start 'ls': STDOUT is for err alone");
  auto text5 = co_await refusal(create_subprocess_exec({.out = -1}, "ls"));
  EXPECT_EQ(text5, "cannot start 'ls': descriptor -1 is not open");
  auto text6 = co_await refusal(create_subprocess_exec({.pass_fds = low}, "ls"));
  EXPECT_EQ(text6, "cannot start 'ls': pass_fds has 2: 0 to 2 are in, out and err");
  auto text7 = co_await refusal(create_subprocess_exec({.start_new_session = true, .process_group = 0}, "ls"));
  EXPECT_EQ(text7, "cannot start 'ls': start_new_session and process_group exclude each other: a session is a group of its own");
  auto text8 = co_await refusal(create_subprocess_exec({.controlling_terminal = true}, "ls"));
  EXPECT_EQ(text8, "cannot start 'ls': controlling_terminal needs start_new_session");
  EXPECT_EQ(TEXT_OF(ValueError, static_cast<void>(create_subprocess_exec({}, std::vector<std::string>()))),
            "create_subprocess_exec: there is no program to start");
}

CHILD_TEST(Subprocess, RunsInADirectoryWithAnEnvironmentOfItsOwn) {
  auto here = co_await output_of("pwd", {.cwd = "/usr"});
  EXPECT_EQ(here, "/usr\n");
  ::setenv("EDDY_TEST_KEPT", "kept", 1);
  ::setenv("EDDY_TEST_GONE", "gone", 1);
  const std::vector<std::string> changes{"EDDY_TEST_NEW=new=1", "EDDY_TEST_GONE"};
  const auto* show = "echo $EDDY_TEST_KEPT,$EDDY_TEST_GONE,$EDDY_TEST_NEW";
  auto changed = co_await output_of(show, {.env = changes});
  EXPECT_EQ(changed, "kept,,new=1\n");
  auto replaced = co_await output_of(show, {.env = changes, .clear_env = true});
  EXPECT_EQ(replaced, ",,new=1\n");
  ::unsetenv("EDDY_TEST_KEPT");
  ::unsetenv("EDDY_TEST_GONE");
}

CHILD_TEST(Subprocess, LooksTheProgramUpInTheChildsPath) {
  const std::vector<std::string> nowhere{"PATH=/no/where:/proc/self"}, somewhere{"PATH=/no/where::/usr/bin:/bin"};
  co_await error_of<eddy::FileNotFoundError>(create_subprocess_exec({.env = nowhere}, "true"));
  auto process = co_await create_subprocess_exec({.env = somewhere}, "true");
  const int code = co_await process.wait();
  EXPECT_EQ(code, 0);
}

CHILD_TEST(Subprocess, SetsUmaskLimitsSessionAndGroup) {
  const eddy::ResourceLimit limits[] = {{RLIMIT_NOFILE, 37, 41}};
  auto out = co_await output_of("umask; ulimit -Sn; ulimit -Hn", {.umask = 027, .rlimits = limits});
  EXPECT_EQ(out, "0027\n37\n41\n");
  auto process = co_await create_subprocess_exec({.out = PIPE, .start_new_session = true}, "sh", "-c", "exec cut -d' ' -f5,6 /proc/self/stat");
  auto output = co_await process.communicate();
  const auto pid = std::to_string(process.pid());
  EXPECT_EQ(output.out, pid + " " + pid + "\n");
  auto group = co_await create_subprocess_exec({.out = PIPE, .process_group = 0}, "sh", "-c", "exec cut -d' ' -f5 /proc/self/stat");
  auto group_output = co_await group.communicate();
  EXPECT_EQ(group_output.out, std::to_string(group.pid()) + "\n");
}

CHILD_TEST(Subprocess, ChangesTheUserIfItMay) {
  if (::geteuid() != 0) {
    auto refused = co_await error_of<eddy::PermissionError>(create_subprocess_exec({.user = 0}, "id"));
    EXPECT_STREQ(refused.what(), "cannot start 'id': setting the user: Operation not permitted");
    co_return;
  }
  const unsigned groups[] = {1234};
  auto out = co_await output_of("id -u; id -g; id -G", {.cwd = "/", .user = 65534, .group = 65533, .extra_groups = groups});
  EXPECT_EQ(out, "65534\n65533\n65533 1234\n");
  auto none = co_await output_of("id -G", {.cwd = "/", .user = 65534, .group = 65533});
  EXPECT_EQ(none, "65533\n");
}

CHILD_TEST(Subprocess, HasNoDescriptorButThoseThatWerePassed) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // without close-on-exec
  const int passed[] = {::fcntl(leaky, F_DUPFD_CLOEXEC, 50)};
  const auto* list = "for f in /proc/self/fd/*; do echo ${f##*/}; done | sort -n | tr '\\n' ' '";
  auto closed = co_await output_of(list, {.in = DEVNULL});
  auto open = co_await output_of(list, {.in = DEVNULL, .pass_fds = passed});
  EXPECT_EQ(closed.find(" " + std::to_string(leaky) + " "), closed.npos) << closed;
  EXPECT_NE(open.find(" " + std::to_string(passed[0]) + " "), open.npos) << open;
  auto inherited = co_await create_subprocess_exec({.close_fds = false}, "test", "-e", "/proc/self/fd/" + std::to_string(leaky));
  const int code = co_await inherited.wait();
  EXPECT_EQ(code, 0);
  ::close(leaky);
  ::close(passed[0]);
}

CHILD_TEST(Subprocess, StartsWithDefaultSignalsAndNoneBlocked) {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  auto process = co_await create_subprocess_exec({.out = PIPE}, "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status");
  auto output = co_await process.communicate();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(output.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

// --- redirection ------------------------------------------------------------------------------------------

CHILD_TEST(Subprocess, SendsErrorsWhereTheOutputGoes) {
  auto process = co_await create_subprocess_shell({.out = PIPE, .err = STDOUT}, "echo a; echo b >&2; echo c");
  EXPECT_FALSE(process.err);
  EXPECT_FALSE(process.in);
  auto [out, err] = co_await process.communicate();
  EXPECT_EQ(out, "a\nb\nc\n");
  EXPECT_EQ(err, "");
}

CHILD_TEST(Subprocess, WritesToADescriptorOfOurs) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  // The lowest number is the hard case: it is itself where another one has to go.
  auto process = co_await create_subprocess_shell({.in = DEVNULL, .out = ends[1], .err = STDOUT}, "cat; echo out; echo err >&2");
  const int code = co_await process.wait();
  ::close(ends[1]);
  char text[32] = {};
  EXPECT_EQ(::read(ends[0], text, sizeof text), 8);
  ::close(ends[0]);
  EXPECT_STREQ(text, "out\nerr\n");
  EXPECT_EQ(code, 0);
}

CHILD_TEST(Subprocess, CanSwapItsStandardDescriptors) {
  // err goes to our 1 and out to our 2, crosswise.
  int out[2], err[2];
  EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(err, O_CLOEXEC), 0);
  const int saved_out = ::fcntl(1, F_DUPFD_CLOEXEC, 10), saved_err = ::fcntl(2, F_DUPFD_CLOEXEC, 10);
  ::dup2(out[1], 1);
  ::dup2(err[1], 2);
  auto process = co_await create_subprocess_shell({.out = 2, .err = 1}, "echo o; echo e >&2");
  co_await process.wait();
  ::dup2(saved_out, 1);
  ::dup2(saved_err, 2);
  char text[2][8] = {};
  EXPECT_EQ(::read(out[0], text[0], 7), 2);
  EXPECT_EQ(::read(err[0], text[1], 7), 2);
  EXPECT_STREQ(text[0], "e\n");
  EXPECT_STREQ(text[1], "o\n");
  for (int fd : {out[0], out[1], err[0], err[1], saved_out, saved_err}) ::close(fd);
}

// --- talking ----------------------------------------------------------------------------------------------

CHILD_TEST(Subprocess, StreamsLinesBothWays) {
  auto process = co_await create_subprocess_exec({.in = PIPE, .out = PIPE}, "cat");
  for (int i = 0; i < 20; ++i) {
    process.in.write("line " + std::to_string(i) + "\n");
    co_await process.in.drain();
    auto line = co_await process.out.readline();
    EXPECT_EQ(line, "line " + std::to_string(i) + "\n");
  }
  process.in.write("last");
  process.in.write_eof();
  auto rest = co_await process.out.read();
  EXPECT_EQ(rest, "last");
  const int code = co_await process.wait();
  EXPECT_EQ(code, 0);
}

CHILD_TEST(Subprocess, CommunicatesMoreThanAnyPipeHolds) {
  auto process = co_await create_subprocess_shell({.in = PIPE, .out = PIPE, .err = PIPE}, "tee /dev/stderr");
  const std::string much(3'000'000, 'q');
  auto [out, err] = co_await process.communicate(much);
  EXPECT_TRUE(out == much);
  EXPECT_TRUE(err == much);
  EXPECT_EQ(process.returncode(), 0);
}

CHILD_TEST(Subprocess, MayRefuseItsInput) {
  auto process = co_await create_subprocess_shell({.in = PIPE, .out = PIPE}, "exec 0<&-; echo enough; exit 3");
  auto [out, err] = co_await process.communicate(std::string(1'000'000, 'x'));
  EXPECT_EQ(out, "enough\n");
  EXPECT_EQ(process.returncode(), 3);
}

CHILD_TEST(Subprocess, ThatWritesTooMuchIsKilled) {
  auto process = co_await create_subprocess_exec({.out = PIPE}, "yes");
  auto error = co_await error_of<eddy::LimitOverrunError>(process.communicate({}, {.limit = 1000}));
  EXPECT_STREQ(error.what(), "out of a process is longer than the limit of 1000 bytes");
  EXPECT_EQ(process.returncode(), -SIGKILL);
}

CHILD_TEST(Subprocess, OutputOfTheLimitIsNotTooMuch) {
  auto process = co_await create_subprocess_exec({.out = PIPE}, "printf", "12345");
  auto output = co_await process.communicate({}, {.limit = 5});
  EXPECT_EQ(output.out, "12345");
}

CHILD_TEST(Subprocess, InputWithoutAPipeIsRefused) {
  auto process = co_await create_subprocess_exec({.in = DEVNULL}, "cat");
  auto error = co_await error_of<eddy::ValueError>(process.communicate("text"));
  EXPECT_STREQ(error.what(), "communicate: there is input, but the process's in is no PIPE");
  co_await process.wait();
}

CHILD_TEST(Subprocess, CancelledCommunicateLosesNoByte) {
  auto process = co_await create_subprocess_shell({.in = PIPE, .out = PIPE}, "echo first; exec sleep 100");
  auto talking = eddy::create_task(process.communicate(std::string(500'000, 'x')));
  co_await eventually([&] { return process.out.buffered().size() >= 6; });
  talking.cancel();
  co_await ended(talking);
  EXPECT_TRUE(talking.cancelled());
  EXPECT_EQ(process.returncode(), std::nullopt);
  auto line = co_await process.out.readline();
  EXPECT_EQ(line, "first\n");
  process.kill();
  co_await process.wait();
}

// --- signals and the end ----------------------------------------------------------------------------------

CHILD_TEST(Subprocess, IsToldToEnd) {
  auto process = co_await create_subprocess_exec({}, "sleep", "100");
  EXPECT_TRUE(process.terminate());
  const int code = co_await process.wait();
  EXPECT_EQ(code, -SIGTERM);
  EXPECT_FALSE(process.terminate());
  EXPECT_FALSE(process.kill());
  auto other = co_await create_subprocess_exec({}, "sleep", "100");
  auto text = TEXT_OF(eddy::OSError, other.send_signal(999));
  EXPECT_EQ(text, "send signal 999 to process " + std::to_string(other.pid()) + " ('sleep'): Invalid argument");
  EXPECT_TRUE(other.kill());
  const int killed = co_await other.wait();
  EXPECT_EQ(killed, -SIGKILL);
}

CHILD_TEST(Subprocess, IsWaitedForByManyOfWhichSomeGiveUp) {
  auto process = co_await create_subprocess_exec({.in = PIPE, .out = PIPE}, "cat");
  auto wait = [&]() -> Coro<int> { co_return co_await process.wait(); };
  auto one = eddy::create_task(wait()), two = eddy::create_task(wait());
  co_await error_of<eddy::TimeoutError>(eddy::wait_for(process.wait(), 5ms));
  one.cancel();
  process.in.close();
  const int code = co_await two;
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(one.cancelled());
  const int again = co_await process.wait();
  EXPECT_EQ(again, 0);
}

CHILD_TEST(Subprocess, DescribesWhatAWaitWaitsFor) {
  auto process = co_await create_subprocess_exec({.in = PIPE}, "cat");
  auto wait = [&]() -> Coro<int> { co_return co_await process.wait(); };
  auto task = eddy::create_task(wait(), {.name = "waiter"});
  co_await eddy::sleep(0s);
  const auto tree = eddy::format_task_tree();
  EXPECT_NE(tree.find("the end of process " + std::to_string(process.pid()) + " ('cat')"), tree.npos) << tree;
  process.in.close();
  co_await task;
}

CHILD_TEST(Subprocess, ThatIsForgottenRunsOnAndLeavesNoZombie) {
  int pid = 0;
  {
    auto process = co_await create_subprocess_exec({.in = PIPE}, "cat");
    pid = process.pid();
    auto keeper = process.in;
    process = co_await create_subprocess_exec({}, "true");
    EXPECT_TRUE(is_alive(pid));
    co_await process.wait();
    keeper.close();
  }
  co_await eventually([pid] { return !is_alive(pid); });
}

CHILD_TEST(Subprocess, IsKilledWithItsHandleIfThatIsWanted) {
  int pid = 0;
  {
    auto process = co_await create_subprocess_exec({.kill_on_destroy = true}, "sleep", "100");
    pid = process.pid();
    const auto copy = process;
  }
  co_await eventually([pid] { return !is_alive(pid); });
}

CHILD_TEST(Subprocess, OutlivesItsPipes) {
  auto process = co_await create_subprocess_shell({.in = PIPE, .out = PIPE}, "exec 1>&-; read line; exit 5");
  auto nothing = co_await process.out.read();
  EXPECT_EQ(nothing, "");
  EXPECT_EQ(process.returncode(), std::nullopt);
  process.in.write("go\n");
  const int code = co_await process.wait();
  EXPECT_EQ(code, 5);
}

CHILD_TEST(Subprocess, EndsForWaitAlsoWhenAGrandchildKeepsThePipe) {
  auto process = co_await create_subprocess_shell({.out = PIPE, .process_group = 0}, "sleep 100 & echo $!");
  auto line = co_await process.out.readline();
  const int code = co_await process.wait();
  EXPECT_EQ(code, 0);
  co_await error_of<eddy::TimeoutError>(eddy::wait_for(process.out.read(), 10ms));
  EXPECT_TRUE(process.kill_tree());  // its leader was laid to rest long ago
  auto rest = co_await process.out.read();
  EXPECT_EQ(rest, "");
  const int grandchild = std::stoi(line);
  co_await eventually([grandchild] { return !is_alive(grandchild); });
}

CHILD_TEST(Subprocess, WithoutAGroupOfItsOwnHasNoTreeToKill) {
  auto process = co_await create_subprocess_exec({}, "true");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, process.kill_tree()),
            "process " + std::to_string(process.pid()) +
                " ('true') has no process group of its own to kill; start it with .process_group = 0");
  co_await process.wait();
}

CHILD_TEST(Subprocess, TwoHundredRunAtOnce) {
  std::vector<Process> processes;
  for (int i = 0; i < 200; ++i) {
    auto process = co_await create_subprocess_shell({}, "exit " + std::to_string(i % 100));
    processes.push_back(std::move(process));
  }
  for (int i = 0; i < 200; ++i) {
    const int code = co_await processes[static_cast<std::size_t>(i)].wait();
    EXPECT_EQ(code, i % 100);
  }
}

CHILD_TEST(Subprocess, ExitCodeThatSomebodyElseTookIs255) {
  ::signal(SIGCHLD, SIG_IGN);
  auto process = co_await create_subprocess_shell({}, "exit 3");
  const int code = co_await process.wait();
  ::signal(SIGCHLD, SIG_DFL);
  EXPECT_EQ(code, 255);
}

CHILD_TEST(Subprocess, DiesWithTheThreadThatStartedItIfThatIsWanted) {
  int pid = 0;
  std::thread starter([&] {
    auto main = [&]() -> Coro<> {
      auto process = co_await create_subprocess_exec({.death_signal = SIGKILL}, "sleep", "100");
      pid = process.pid();
    };
    eddy::run(main());
  });
  starter.join();
  co_await eventually([pid] { return !is_alive(pid); });
}

// --- the loop closes --------------------------------------------------------------------------------------

TEST(SubprocessClosing, ChildrenOfAClosedLoopLeaveNoZombies) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    const Children children;
    auto main = []() -> Coro<> {
      auto forgotten = co_await create_subprocess_exec({}, "sleep", "0.05");
      auto killed = co_await create_subprocess_exec({.kill_on_destroy = true}, "sleep", "100");
    };
    eddy::run(main(), {.backend = backend});
    eddy::run(main(), {.backend = backend});
  }
}

TEST(SubprocessClosing, AHandleMayOutliveItsLoop) {
  const Children children;
  std::optional<Process> process;
  auto main = [&]() -> Coro<> {
    auto started = co_await create_subprocess_exec({.process_group = 0, .kill_on_destroy = true}, "sleep", "100");
    process = started;
  };
  eddy::run(main());
  EXPECT_EQ(process->returncode(), std::nullopt);
  EXPECT_TRUE(process->kill_tree());
  auto again = [&]() -> Coro<> { co_await process->wait(); };
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::run(again())),
            "process " + std::to_string(process->pid()) + " ('sleep') belonged to a loop that is closed");
}

TEST(SubprocessClosing, ATaskThatWaitsMayBeDestroyedWithItsLoop) {
  const Children children;
  eddy::EventLoop loop;
  loop.set_exception_handler([](const eddy::ExceptionContext&) {});
  auto body = []() -> Coro<> {
    auto process = co_await create_subprocess_exec({.in = PIPE, .out = PIPE, .kill_on_destroy = true}, "cat");
    co_await process.communicate("text");
    co_await process.wait();
  };
  auto wait = []() -> Coro<> {
    auto process = co_await create_subprocess_exec({.kill_on_destroy = true}, "sleep", "100");
    co_await process.wait();
  };
  auto task = loop.create_task(wait());
  loop.run_until_complete(body());
}

// --- run_process ------------------------------------------------------------------------------------------

CHILD_TEST(RunProcess, GivesOutputAndExitCode) {
  auto done = co_await run_process({.input = "b\na\n", .capture_output = true}, "sort");
  EXPECT_EQ(done.out, "a\nb\n");
  EXPECT_EQ(done.returncode, 0);
  EXPECT_EQ(done.command, "sort");
  done.check_returncode();
  auto failed = co_await run_shell({.capture_output = true}, "echo oh >&2; exit 4");
  EXPECT_EQ(failed.returncode, 4);
  EXPECT_EQ(TEXT_OF(eddy::CalledProcessError, failed.check_returncode()), "'echo oh >&2; exit 4' ended with exit code 4: oh");
}

CHILD_TEST(RunProcess, ThrowsForAnExitCodeWhenItIsToldToCheck) {
  auto error = co_await error_of<eddy::CalledProcessError>(
      run_process({.capture_output = true, .check = true}, "ls", "/zzz"));
  EXPECT_EQ(error.returncode(), 2);
  EXPECT_EQ(error.command(), "ls /zzz");
  EXPECT_EQ(error.out(), "");
  EXPECT_EQ(std::string(error.what()), "'ls /zzz' ended with exit code 2: " + error.err().substr(0, error.err().size() - 1));
  auto killed = co_await error_of<eddy::CalledProcessError>(run_shell({.check = true}, "kill -9 $$"));
  EXPECT_STREQ(killed.what(), "'kill -9 $$' died by signal 9 (Killed)");
}

CHILD_TEST(RunProcess, TimeoutKillsTheTreeAndKeepsWhatHadCome) {
  auto error = co_await error_of<eddy::TimeoutExpired>(run_shell(
      {.capture_output = true, .timeout = 150ms}, "sleep 100 & echo $!; echo oops >&2; trap '' TERM; wait"));
  EXPECT_STREQ(error.what(), "'sleep 100 & echo $!; echo oops >&2; trap '' TERM; wait' did not end within 150ms, and was killed");
  EXPECT_EQ(error.err(), "oops\n");
  EXPECT_EQ(error.timeout(), eddy::Duration(150ms));
  const int grandchild = std::stoi(error.out());
  co_await eventually([grandchild] { return !is_alive(grandchild); });
}

CHILD_TEST(RunProcess, ThatIsCancelledKillsTheTree) {
  auto task = eddy::create_task(run_shell({}, "sleep 100 & sleep 100 & wait"));
  co_await eddy::sleep(20ms);
  task.cancel();
  co_await ended(task);
  EXPECT_TRUE(task.cancelled());
  EXPECT_TRUE(no_children());
}

CHILD_TEST(RunProcess, ThatWritesTooMuchIsKilled) {
  auto error = co_await error_of<eddy::LimitOverrunError>(run_process({.capture_output = true, .output_limit = 10}, "yes"));
  EXPECT_EQ(error.consumed(), 10u);
}

// --- a cancellation everywhere ----------------------------------------------------------------------------

TEST(SubprocessSweep, ACancellationAtEachAwaitLeavesNoChild) {
  auto scenario = []() -> Coro<> {
    auto process = co_await create_subprocess_exec({.in = PIPE, .out = PIPE, .kill_on_destroy = true}, "cat");
    auto output = co_await process.communicate("text");
    EXPECT_EQ(output.out, "text");
    auto done = co_await run_shell({.input = "more", .capture_output = true}, "cat; cat >&2");
    EXPECT_EQ(done.out, "more");
  };
  for (int turns = 0; turns < 60; ++turns) {
    const Children children;
    auto main = [&]() -> Coro<> {
      auto task = eddy::create_task(scenario());
      for (int i = 0; i < turns && !task.done(); ++i) co_await eddy::sleep(i % 2 ? 200us : 0s);
      task.cancel();
      co_await ended(task);
    };
    eddy::run(main());
  }
}

TEST(SubprocessStreams, WriteEofOfAPipeClosesIt) {
  auto main = []() -> Coro<> {
    auto [reader, writer] = co_await eddy::open_pipe();
    writer.write("all");
    writer.write_eof();
    auto text = co_await reader.read();
    EXPECT_EQ(text, "all");
  };
  eddy::run(main());
}

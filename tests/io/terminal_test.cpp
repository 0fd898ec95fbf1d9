// SPDX-License-Identifier: MIT
// Standard streams of every kind, and terminals, of which a test makes its own.
#include <eddy/eddy.hpp>
#include <eddy/fs.hpp>
#include <eddy/subprocess.hpp>
#include <eddy/terminal.hpp>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "support.hpp"

namespace fs = eddy::fs;
using eddy::open_pty;
using eddy::PIPE;
using eddy::STDOUT;
using eddy::TerminalMode;
using eddy::testing::error_of;

namespace {

bool echoes(int fd) {
  termios mode{};
  ::tcgetattr(fd, &mode);
  return (mode.c_lflag & ECHO) != 0;
}
void throw_something() { throw std::runtime_error("nobody catches this"); }
bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

Coro<> wait_until_hidden(int fd) {
  while (echoes(fd)) co_await eddy::sleep(1ms);
}

}  // namespace

// --- standard streams -------------------------------------------------------------------------------------

BACKEND_TEST(StandardStreams, ReadAFile) {
  auto file = co_await fs::temporary_file();
  std::string much;
  for (int i = 0; i < 30'000; ++i) much += "line " + std::to_string(i) + "\n";
  std::ofstream(file.path()) << much;
  const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
  auto reader = eddy::open_reader(fd);
  std::string all;
  while (auto line = co_await reader.next()) all += *line;
  EXPECT_TRUE(all == much);
  EXPECT_TRUE(reader.at_eof());
  ::close(fd);
}

BACKEND_TEST(StandardStreams, WriteAFile) {
  auto file = co_await fs::temporary_file();
  const int fd = ::open(file.path().c_str(), O_WRONLY | O_CLOEXEC);
  auto writer = eddy::open_writer(fd);
  writer.write("one ");
  writer.writelines({"two ", "three"});
  auto there = co_await fs::read_bytes(file.path());
  EXPECT_EQ(there, "one two three");
  co_await writer.drain();
  writer.close();
  co_await writer.wait_closed();
  EXPECT_EQ(::write(fd, "!", 1), 1);  // it is still ours
  ::close(fd);
}

BACKEND_TEST(StandardStreams, CancelledReadOfAFileLosesNoByte) {
  auto file = co_await fs::temporary_file();
  std::ofstream(file.path()) << "one\ntwo\n";
  const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
  auto reader = eddy::open_reader(fd);
  auto read = [&]() -> Coro<> { co_await reader.readline(); };
  auto task = eddy::create_task(read());
  co_await eddy::sleep(0s);
  task.cancel();
  while (!task.done()) co_await eddy::sleep(0s);
  auto all = co_await reader.read();
  EXPECT_EQ(all, "one\ntwo\n");
  ::close(fd);
}

BACKEND_TEST(StandardStreams, OfPipesLeaveTheOthersBlocking) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  {
    auto reader = eddy::open_reader(ends[0]);
    auto writer = eddy::open_writer(ends[1]);
    EXPECT_FALSE(is_nonblocking(ends[0]));
    EXPECT_FALSE(is_nonblocking(ends[1]));
    writer.write("through\n");
    auto line = co_await reader.readline();
    EXPECT_EQ(line, "through\n");
    ::close(ends[1]);
    writer.write_eof();
    auto end = co_await reader.read();
    EXPECT_EQ(end, "");
  }
  ::close(ends[0]);
}

BACKEND_TEST(StandardStreams, ReadNothingFromNullAndPassSockets) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  auto reader = eddy::open_reader(null);
  auto nothing = co_await reader.read();
  EXPECT_EQ(nothing, "");
  auto writer = eddy::open_writer(null);
  writer.write("gone");
  co_await writer.drain();
  ::close(null);
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  auto from = eddy::open_reader(ends[0]);
  EXPECT_EQ(::write(ends[1], "x\n", 2), 2);
  auto line = co_await from.readline();
  EXPECT_EQ(line, "x\n");
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(TEXT_OF(eddy::OSError, eddy::open_reader(987)), "open descriptor 987 as a stream: Bad file descriptor");
}

// --- terminals --------------------------------------------------------------------------------------------

BACKEND_TEST(Terminal, ShowsWhatIsWrittenAndGivesWhatIsTyped) {
  auto pty = open_pty();
  EXPECT_TRUE(eddy::isatty(pty.terminal()));
  auto reader = eddy::open_reader(pty.terminal());
  auto writer = eddy::open_writer(pty.terminal());
  EXPECT_FALSE(is_nonblocking(pty.terminal()));
  pty.in.write("typed\n");
  auto line = co_await reader.readline();
  EXPECT_EQ(line, "typed\n");
  writer.write("shown");
  auto shown = co_await pty.out.readexactly(12);
  EXPECT_EQ(shown, "typed\r\nshown");
  reader = {};
  writer.close();
  co_await writer.wait_closed();
  co_await eddy::sleep(0s);
  pty.close_terminal();
  auto end = co_await pty.out.read();
  EXPECT_EQ(end, "");
}

BACKEND_TEST(Terminal, RunsAProgram) {
  auto pty = open_pty({100, 30});
  auto shell = co_await eddy::create_subprocess_exec({.in = pty.terminal(),
                                                      .out = pty.terminal(),
                                                      .err = STDOUT,
                                                      .start_new_session = true,
                                                      .controlling_terminal = true},
                                                     "sh", "-c", "stty size; tty; read line; echo got $line; echo ok >/dev/tty");
  pty.close_terminal();
  pty.in.write("this\n");
  auto all = co_await pty.out.read();
  EXPECT_NE(all.find("30 100\r\n"), all.npos) << all;
  EXPECT_NE(all.find(pty.path() + "\r\n"), all.npos) << all;
  EXPECT_NE(all.find("got this\r\nok\r\n"), all.npos) << all;
  const int code = co_await shell.wait();
  EXPECT_EQ(code, 0);
}

BACKEND_TEST(Terminal, HasASizeWhoseChangesAreTold) {
  auto pty = open_pty({90, 20});
  EXPECT_EQ(eddy::terminal_size(pty.terminal()), (eddy::TerminalSize{90, 20}));
  eddy::WindowSizes sizes(pty.terminal());
  auto first = co_await sizes.next();
  EXPECT_EQ(first->columns, 90);
  auto waiting = eddy::create_task(sizes.next());
  co_await eddy::sleep(1ms);
  ::raise(SIGWINCH);  // of another terminal: nothing has changed here
  co_await eddy::sleep(1ms);
  EXPECT_FALSE(waiting.done());
  pty.resize({120, 50});
  ::raise(SIGWINCH);
  auto second = co_await waiting;
  EXPECT_EQ(second, (eddy::TerminalSize{120, 50}));
}

TEST(Terminal, SizeOfNoneIsWhatTheEnvironmentSays) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::unsetenv("COLUMNS");
  ::unsetenv("LINES");
  EXPECT_EQ(eddy::terminal_size(null), (eddy::TerminalSize{80, 24}));
  ::setenv("COLUMNS", "132", 1);
  ::setenv("LINES", "x", 1);
  EXPECT_EQ(eddy::terminal_size(null), (eddy::TerminalSize{132, 24}));
  ::unsetenv("COLUMNS");
  ::unsetenv("LINES");
  ::close(null);
}

BACKEND_TEST(TerminalMode, IsGivenBack) {
  auto pty = open_pty();
  const int fd = pty.terminal();
  {
    TerminalMode raw(TerminalMode::raw, fd);
    EXPECT_FALSE(echoes(fd));
    pty.in.write("\x03q");
    char bytes[2];
    EXPECT_EQ(::read(fd, bytes, 2), 2);
    EXPECT_EQ(bytes[0], 3);
    {
      const TerminalMode inner(TerminalMode::cbreak, fd);
      EXPECT_FALSE(echoes(fd));
    }
    EXPECT_FALSE(echoes(fd));
    raw.restore();
    EXPECT_TRUE(echoes(fd));
  }
  EXPECT_TRUE(echoes(fd));
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(TEXT_OF(eddy::OSError, TerminalMode(TerminalMode::raw, null)),
            "set the mode of the terminal of descriptor " + std::to_string(null) + ": Inappropriate ioctl for device");
  ::close(null);
  co_return;
}

// Each way out in a process of its own, which leaves the terminal as it was.
TEST(TerminalMode, IsGivenBackOnEveryWayOut) {
  struct WayOut {
    const char* name;
    void (*take)();
    int signal;  // 0: an exit
  };
  const WayOut ways[] = {
      {"exit", [] { std::exit(0); }, 0},
      {"SIGTERM", [] { ::raise(SIGTERM); }, SIGTERM},
      {"SIGHUP", [] { ::raise(SIGHUP); }, SIGHUP},
      {"abort", [] { std::abort(); }, SIGABRT},
      {"uncaught", []() noexcept { throw_something(); }, SIGABRT},
  };
  auto main = [&]() -> Coro<> {
    auto pty = open_pty();
    for (const auto& way : ways) {
      SCOPED_TRACE(way.name);
      const pid_t child = ::fork();
      if (child == 0) {
        const int quiet = ::open("/dev/null", O_WRONLY);
        ::dup2(quiet, 2);
        const TerminalMode raw(TerminalMode::raw, pty.terminal());
        if (echoes(pty.terminal())) ::_exit(99);
        way.take();
        ::_exit(98);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      EXPECT_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), way.signal);
      EXPECT_TRUE(echoes(pty.terminal()));
    }
    co_return;
  };
  eddy::run(main());
}

TEST(TerminalMode, LeavesSignalsAsTheyWere) {
  auto main = []() -> Coro<> {
    auto pty = open_pty();
    struct sigaction during {}, after {};
    {
      const TerminalMode raw(TerminalMode::raw, pty.terminal());
      ::sigaction(SIGTERM, nullptr, &during);
    }
    ::sigaction(SIGTERM, nullptr, &after);
    EXPECT_NE(during.sa_handler, SIG_DFL);
    EXPECT_EQ(after.sa_handler, SIG_DFL);
    co_return;
  };
  eddy::run(main());
}

// --- passwords --------------------------------------------------------------------------------------------

BACKEND_TEST(Getpass, ShowsThePromptAndNotThePassword) {
  auto pty = open_pty();
  auto asking = eddy::create_task(eddy::getpass({.prompt = "Secret? ", .terminal = pty.path()}));
  co_await wait_until_hidden(pty.terminal());
  pty.in.write("hunter2\n");
  auto password = co_await asking;
  EXPECT_EQ(password, "hunter2");
  EXPECT_TRUE(echoes(pty.terminal()));
  auto shown = co_await pty.out.readexactly(10);
  EXPECT_EQ(shown, "Secret? \r\n");
}

BACKEND_TEST(Getpass, GivesTheTerminalBackWhenItIsCancelledOrEnds) {
  auto pty = open_pty();
  auto asking = eddy::create_task(eddy::getpass({.terminal = pty.path()}));
  co_await wait_until_hidden(pty.terminal());
  asking.cancel();
  while (!asking.done()) co_await eddy::sleep(0s);
  EXPECT_TRUE(asking.cancelled());
  EXPECT_TRUE(echoes(pty.terminal()));
  auto again = eddy::create_task(eddy::getpass({.terminal = pty.path()}));
  co_await wait_until_hidden(pty.terminal());
  pty.in.write("\x04");
  auto end = co_await error_of<eddy::EOFError>(again);
  EXPECT_EQ(std::string(end.what()), "ask for a password on '" + pty.path() + "': its input has ended");
  auto missing = co_await error_of<eddy::FileNotFoundError>(eddy::getpass({.terminal = "/no/tty"}));
  EXPECT_STREQ(missing.what(), "ask for a password on '/no/tty': No such file or directory");
}

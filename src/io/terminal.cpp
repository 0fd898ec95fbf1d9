// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/terminal.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>

#include "base/unique_fd.hpp"
#include "io/stream_core.hpp"

namespace eddy {
namespace {

// --- what has to be given back when the program ends ------------------------------------------------------

struct SavedMode {
  std::atomic<bool> used{false};  // set last, cleared first: a signal may come in between
  int fd = -1;
  termios mode{};
};
constexpr int kSlots = 16;
SavedMode saved[kSlots];

constexpr int kFatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGPIPE, SIGTERM, SIGXCPU, SIGSYS};
std::mutex fatal_mutex;
int fatal_users = 0;
bool fatal_is_ours[NSIG];

static_assert(std::atomic<bool>::is_always_lock_free);

// Async-signal-safe. The newest first: the oldest one's mode is the one that stays.
void restore_all() noexcept {
  for (int i = kSlots - 1; i >= 0; --i) {
    if (saved[i].used.exchange(false)) ::tcsetattr(saved[i].fd, TCSANOW, &saved[i].mode);
  }
}

extern "C" void restore_and_die(int number) {
  restore_all();  // with all signals blocked, SIGTTOU too, so also from the background
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void watch_fatal_signals() {
  static const bool at_exit = std::atexit([] { restore_all(); }) == 0;
  static_cast<void>(at_exit);
  const std::lock_guard lock(fatal_mutex);
  if (fatal_users++ > 0) return;
  for (int number : kFatal) {
    struct sigaction now {}, ours {};
    ::sigaction(number, nullptr, &now);
    if (now.sa_handler != SIG_DFL) continue;
    ours.sa_handler = &restore_and_die;
    ::sigfillset(&ours.sa_mask);
    fatal_is_ours[number] = ::sigaction(number, &ours, nullptr) == 0;
  }
}

void leave_fatal_signals() noexcept {
  const std::lock_guard lock(fatal_mutex);
  if (--fatal_users > 0) return;
  for (int number : kFatal) {
    struct sigaction now {};
    if (!std::exchange(fatal_is_ours[number], false)) continue;
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == &restore_and_die) ::signal(number, SIG_DFL);
  }
}

termios changed(termios mode, TerminalMode::Kind kind) {
  switch (kind) {
    case TerminalMode::raw: ::cfmakeraw(&mode); break;
    case TerminalMode::cbreak:
      mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
      mode.c_cc[VMIN] = 1;
      mode.c_cc[VTIME] = 0;
      break;
    case TerminalMode::no_echo:
      mode.c_lflag &= ~static_cast<tcflag_t>(ECHO);
      mode.c_lflag |= ICANON;
      break;
  }
  return mode;
}

int number_in(const char* variable) noexcept {
  const char* text = std::getenv(variable);
  const int value = text ? std::atoi(text) : 0;
  return value > 0 && value < 65536 ? value : 0;
}

}  // namespace

bool isatty(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

TerminalSize terminal_size(int descriptor) noexcept {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) return {size.ws_col, size.ws_row};
  const int columns = number_in("COLUMNS"), rows = number_in("LINES");
  return {columns ? columns : 80, rows ? rows : 24};
}

WindowSizes::WindowSizes(int descriptor) : changes_({SIGWINCH}), descriptor_(descriptor) {}

Coro<std::optional<TerminalSize>> WindowSizes::next() {
  for (;;) {
    const auto now = terminal_size(descriptor_);
    if (last_ != now) {
      last_ = now;
      co_return last_;
    }
    co_await changes_.next();
  }
}

TerminalMode::TerminalMode(Kind kind, int descriptor) : slot_(-1) {
  termios before{};
  const auto what = [descriptor] { return fmt::format("set the mode of the terminal of descriptor {}", descriptor); };
  if (::tcgetattr(descriptor, &before) != 0) throw_os_error(errno, what());
  for (int i = 0; i < kSlots && slot_ < 0; ++i) {
    if (!saved[i].used.load() && saved[i].fd < 0) slot_ = i;
  }
  if (slot_ < 0) throw RuntimeError(fmt::format("{}: {} modes are nested already", what(), kSlots));
  saved[slot_].fd = descriptor;
  saved[slot_].mode = before;
  saved[slot_].used.store(true);
  watch_fatal_signals();
  const auto mode = changed(before, kind);
  if (::tcsetattr(descriptor, kind == no_echo ? TCSAFLUSH : TCSADRAIN, &mode) != 0) {
    const int error = errno;
    restore();
    throw_os_error(error, what());
  }
}

void TerminalMode::restore() noexcept {
  const int slot = std::exchange(slot_, -1);
  if (slot < 0) return;
  auto& entry = saved[slot];
  if (entry.used.exchange(false)) ::tcsetattr(entry.fd, TCSADRAIN, &entry.mode);
  entry.fd = -1;
  leave_fatal_signals();
}

namespace {

Coro<std::string> ask_for_password(std::string prompt, std::string terminal) {
  using eddy_body [[maybe_unused]] = int;
  const int fd = ::open(terminal.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw_os_error(errno, fmt::format("ask for a password on '{}'", terminal));
  auto streams = detail::make_streams(detail::Loop::running(), fd, 4096);
  streams.reader.core().set_terminal();
  std::string answer;
  {
    const TerminalMode hidden(TerminalMode::no_echo, fd);
    streams.writer.write(prompt);
    answer = co_await streams.reader.readline();
    streams.writer.write("\n");
  }
  if (answer.empty()) throw EOFError(fmt::format("ask for a password on '{}': its input has ended", terminal));
  if (answer.ends_with('\n')) answer.pop_back();
  co_return answer;
}

}  // namespace

Coro<std::string> getpass(GetpassOptions options) {
  return ask_for_password(std::string(options.prompt), std::string(options.terminal));
}

Pty open_pty(TerminalSize size) {
  detail::UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  char path[64] = {};
  if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 ||
      ::ptsname_r(master.get(), path, sizeof path) != 0) {
    throw_os_error(errno, "open a pseudo-terminal");
  }
  detail::UniqueFd terminal(::open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal) throw_os_error(errno, "open a pseudo-terminal");
  auto streams = detail::make_streams(detail::Loop::running(), master.release(), 64 * 1024);
  streams.reader.core().set_terminal();
  Pty pty(std::move(streams), terminal.release(), path);
  pty.resize(size);
  return pty;
}

void Pty::close_terminal() noexcept {
  if (terminal_ >= 0) ::close(std::exchange(terminal_, -1));
}

void Pty::resize(TerminalSize size) {
  winsize window{};
  window.ws_col = static_cast<unsigned short>(size.columns);
  window.ws_row = static_cast<unsigned short>(size.rows);
  if (::ioctl(in.fileno(), TIOCSWINSZ, &window) != 0) throw_os_error(errno, "set the size of a pseudo-terminal");
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
// Standard streams and terminals.
#pragma once

#include <cstddef>
#include <eddy/coro.hpp>
#include <eddy/signals.hpp>
#include <eddy/streams.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace eddy {

/// Standard input as a stream, whatever it is: a terminal, a pipe, a socket, or a file, of which epoll wants to hear nothing.
/// Terminals and pipes are opened anew, because their other users, the shell for one, must not find them non-blocking; a file
/// is read on the thread pool. `limit`: of readline(), bytes. Throws OSError.
StreamReader open_stdin(std::size_t limit = 64 * 1024);
/// Standard output and errors as streams. To a file, writes are done at once; else see StreamWriter.
StreamWriter open_stdout();
StreamWriter open_stderr();
/// The same for any descriptor of ours, which stays ours and open.
StreamReader open_reader(int descriptor, std::size_t limit = 64 * 1024);
StreamWriter open_writer(int descriptor);

bool isatty(int descriptor) noexcept;

struct TerminalSize {
  int columns, rows;
  friend bool operator==(const TerminalSize&, const TerminalSize&) noexcept = default;
};
/// Of the terminal of a descriptor; else what COLUMNS and LINES say, else 80 x 24.
TerminalSize terminal_size(int descriptor = 1) noexcept;

/// The sizes a terminal takes while the user pulls at its window (SIGWINCH): the present one first.
class WindowSizes {
 public:
  explicit WindowSizes(int descriptor = 1);
  /// Waits until it is another than the one before.
  Coro<std::optional<TerminalSize>> next();

 private:
  Signals changes_;
  int descriptor_;
  std::optional<TerminalSize> last_;
};

/// Changes the mode of a terminal while it lives, and gives back the one before: also when the program ends by exit(), by an
/// exception that nobody catches, or by a signal with its default action (but not SIGKILL and _exit()).
///
///     eddy::TerminalMode raw(eddy::TerminalMode::raw);
///
/// Nested ones end in the opposite order. Make it inside of run(), whose Ctrl-C is then not disturbed.
class TerminalMode {
 public:
  enum Kind {
    raw,      // every byte as it comes, no echo, no signals: Ctrl-C is byte 3
    cbreak,   // every byte as it comes, no echo; Ctrl-C is a signal
    no_echo,  // lines, which are not shown
  };
  /// Throws OSError if the descriptor is no terminal.
  explicit TerminalMode(Kind kind, int descriptor = 0);
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;
  ~TerminalMode() { restore(); }
  void restore() noexcept;

 private:
  int slot_;  // -1: restored
};

struct GetpassOptions {
  std::string_view prompt = "Password: ";
  std::string_view terminal = "/dev/tty";  // the one that controls the process
};
/// Asks for a password on the terminal, wherever the standard streams go, without showing it. What was typed before is
/// dropped. Throws EOFError for Ctrl-D, OSError if there is no terminal.
Coro<std::string> getpass(GetpassOptions options = {});

/// A pair of a terminal and the side that stands for its user: for tests, and for programs that run others on a terminal.
///
///     auto pty = open_pty();
///     auto shell = co_await create_subprocess_exec({.in = pty.terminal(), .out = pty.terminal(), .err = STDOUT,
///                                                   .start_new_session = true, .controlling_terminal = true}, "sh");
///     pty.close_terminal();   // so that `out` ends with the shell
class Pty {
 public:
  Pty(Streams streams, int terminal, std::string path) noexcept
      : out(std::move(streams.reader)), in(std::move(streams.writer)), terminal_(terminal), path_(std::move(path)) {}
  Pty(Pty&& other) noexcept
      : out(std::move(other.out)), in(std::move(other.in)), terminal_(std::exchange(other.terminal_, -1)), path_(std::move(other.path_)) {}
  Pty& operator=(Pty&&) = delete;
  ~Pty() { close_terminal(); }

  StreamReader out;  // what is shown
  StreamWriter in;   // what is typed

  /// The descriptor of the terminal's side; -1 once it is closed.
  int terminal() const noexcept { return terminal_; }
  const std::string& path() const noexcept { return path_; }
  void close_terminal() noexcept;
  /// The programs on it get SIGWINCH.
  void resize(TerminalSize size);

 private:
  int terminal_;
  std::string path_;
};
Pty open_pty(TerminalSize size = {80, 24});

}  // namespace eddy

// SPDX-License-Identifier: MIT
// The other side: asking a process.
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <eddy/exceptions.hpp>
#include <eddy/inspect.hpp>
#include <filesystem>

#include "base/text.hpp"
#include "inspect/directory.hpp"

namespace eddy::inspect {
namespace {

std::string program_of(int pid) {
  std::error_code ignored;
  const auto path = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), ignored);
  return ignored ? "?" : path.filename().string();
}

[[noreturn]] void throw_unreachable(int pid, int error_number, const std::string& path) {
  if (::kill(pid, 0) != 0 && errno == ESRCH) {
    throw ProcessLookupError(ESRCH, fmt::format("there is no process {}", pid));
  }
  if (error_number == ENOENT || error_number == ECONNREFUSED) {
    throw OSError(
        error_number,
        fmt::format("process {} ({}) does not listen on '{}'; start it with EDDY_INSPECT=1, or call "
                    "eddy::inspect::serve() in it",
                    pid, program_of(pid), path));
  }
  throw_os_error(error_number, fmt::format("connect to '{}'", path));
}

detail::UniqueFd connect_to_process(int pid, Duration timeout) {
  const auto directory = detail::inspect_directory();
  const auto path = detail::socket_of(directory, pid);
  auto fd = detail::connect_to_socket(path);
  if (!fd) throw_unreachable(pid, errno, path);
  detail::secure_directory(directory);
  int peer = 0;
  if (!detail::is_own_peer(fd.get(), peer)) {
    throw PermissionError(EPERM,
                          fmt::format("process {} listens on '{}', and it is another user's", peer, path));
  }
  detail::limit_waits(fd.get(), std::max<long>(1, static_cast<long>(timeout.count() / 1'000'000)));
  return fd;
}

std::string read_answer(int fd, int pid, Duration timeout) {
  std::string text;
  char piece[16384];
  for (;;) {
    const auto count = ::recv(fd, piece, sizeof piece, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      throw TimeoutError(
          fmt::format("process {} did not answer in {}; is it stopped? 'gdb -p {}' and eddy-gdb.py show a "
                      "stopped one",
                      pid, detail::format_duration(timeout.count()), pid));
    }
    if (count < 0) throw_os_error(errno, fmt::format("hear from process {}", pid));
    if (count == 0) return text;
    text.append(piece, static_cast<std::size_t>(count));
  }
}

std::string ask(int pid, const char* question, Duration timeout) {
  const auto fd = connect_to_process(pid, timeout);
  detail::send_all(fd.get(), std::string(question) + '\n');
  auto answer = read_answer(fd.get(), pid, timeout);
  if (answer.starts_with("ok\n")) return answer.substr(3);
  if (!answer.starts_with("error\n"))
    throw RuntimeError(fmt::format("process {} gave no answer: it ended, or is busy to its limit", pid));
  throw RuntimeError(answer.substr(6, answer.find_last_not_of('\n') - 5));
}

}  // namespace

std::vector<Process> processes() {
  std::vector<Process> found;
  const auto directory = detail::inspect_directory();
  for (const int pid : detail::sockets_in(directory)) {
    const auto path = detail::socket_of(directory, pid);
    if (detail::connect_to_socket(path))
      found.push_back({pid, program_of(pid)});
    else if (errno == ECONNREFUSED)
      ::unlink(path.c_str());
  }
  return found;
}

std::string report_of(int pid, Report report, Duration timeout) {
  constexpr const char* kQuestions[] = {"table", "tree", "metrics", "json"};
  return ask(pid, kQuestions[static_cast<int>(report)], timeout);
}

void set_debug_of(int pid, bool on, Duration timeout) { ask(pid, on ? "debug on" : "debug off", timeout); }

}  // namespace eddy::inspect

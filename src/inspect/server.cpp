// SPDX-License-Identifier: MIT
// The process's side of `eddy ps`: a socket, a thread, one question a connection.
//
//     question   one line: table, tree, metrics, json, debug on, debug off
//     answer     one line, "ok" or "error"; then text, to the end of the stream
#include <fmt/format.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <eddy/exceptions.hpp>
#include <eddy/inspect.hpp>
#include <mutex>

#include "base/unique_fd.hpp"
#include "inspect/ask.hpp"
#include "inspect/background.hpp"
#include "inspect/directory.hpp"
#include "inspect/sample.hpp"
#include "inspect/watchdog.hpp"

namespace eddy::detail {
namespace {

// What serves this process. Never destroyed: its thread may outlive every static object.
struct Service {
  std::mutex mutex;
  int pid = 0;  // that it was made for: not a fork's
  std::string path;
  UniqueFd listener;
};
Service& service() {
  static auto* const one = new Service;
  return *one;
}

std::string metrics_of(const std::vector<LoopSnapshot>& loops) {
  std::vector<LoopMetrics> metrics;
  for (const auto& loop : loops) {
    if (loop.condition == "running") metrics.push_back(loop.metrics);
  }
  return open_metrics_text(metrics);
}

std::string answer_to(const std::string& question) {
  constexpr std::pair<const char*, inspect::Report> kReports[] = {{"table", inspect::Report::table},
                                                                  {"tree", inspect::Report::tree},
                                                                  {"metrics", inspect::Report::metrics},
                                                                  {"json", inspect::Report::json}};
  try {
    for (const auto& [name, report] : kReports) {
      if (question == name) return "ok\n" + inspect::report(report);
    }
    if (question == "debug on" || question == "debug off") {
      set_debug_of_all_loops(question == "debug on");
      return "ok\n";
    }
    return "error\nthe question must be table, tree, metrics, json, debug on or debug off\n";
  } catch (const std::exception& error) {
    return fmt::format("error\n{}\n", error.what());
  }
}

// Up to the end of the line. What does not end in time, or is too long, is no question.
std::string read_question(int fd) {
  std::string line;
  char piece[64];
  while (line.size() < sizeof piece && line.find('\n') == line.npos) {
    const auto count = ::recv(fd, piece, sizeof piece, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return line;
    line.append(piece, static_cast<std::size_t>(count));
  }
  return line.substr(0, line.find_first_of("\r\n"));
}

void serve_connection(UniqueFd connection) {
  int pid = 0;
  if (!is_own_peer(connection.get(), pid)) return;
  limit_waits(connection.get(), 2000);
  const auto question = read_question(connection.get());
  if (!question.empty()) send_all(connection.get(), answer_to(question));
}

// Until shutdown() of the listener, by stop().
void serve_connections(UniqueFd listener) {
  for (;;) {
    UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) {
      serve_connection(std::move(connection));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      ::poll(nullptr, 0, 1000);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

// The name has our pid in it: whoever had it before is dead, or lives in another namespace of pids.
void remove_stale(const std::string& path) {
  if (connect_to_socket(path)) {
    throw RuntimeError(
        fmt::format("'{}' is in use: another process with this number, in another container, listens there; "
                    "give each its own XDG_RUNTIME_DIR",
                    path));
  }
  if (errno == ECONNREFUSED) ::unlink(path.c_str());
}

UniqueFd listen_at(const std::string& path) {
  remove_stale(path);
  const auto address = address_of_socket(path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, "make a socket");
  // The directory keeps others out; the mode says so once more. fchmod() before bind() sets the file's mode.
  ::fchmod(fd.get(), 0600);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_os_error(errno, fmt::format("bind '{}'", path));
  }
  ::chmod(path.c_str(), 0600);
  if (::listen(fd.get(), 8) != 0) throw_os_error(errno, fmt::format("listen on '{}'", path));
  return fd;
}

void remove_socket() noexcept {
  auto& own = service();
  const std::lock_guard lock(own.mutex);
  if (own.pid == ::getpid() && !own.path.empty()) ::unlink(own.path.c_str());
}

}  // namespace

void serve_if_asked() noexcept {
  const char* wanted = std::getenv("EDDY_INSPECT");
  if (!wanted || !*wanted || std::string_view(wanted) == "0") return;
  try {
    inspect::serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eddy: EDDY_INSPECT: this process cannot be looked into: %s\n", error.what());
  }
}

}  // namespace eddy::detail

namespace eddy::inspect {

void serve(ServeOptions options) {
  auto& own = detail::service();
  {
    const std::lock_guard lock(own.mutex);
    if (own.pid == ::getpid()) return;
    const auto directory = detail::inspect_directory();
    detail::secure_directory(directory);
    own.path = detail::socket_of(directory, ::getpid());
    own.listener = detail::listen_at(own.path);
    own.pid = ::getpid();
    detail::prepare_sampling();
    detail::run_in_background([fd = detail::UniqueFd(::dup(own.listener.get()))]() mutable {
      detail::serve_connections(std::move(fd));
    });
    static const bool removes_at_exit = std::atexit(&detail::remove_socket) == 0;
    static_cast<void>(removes_at_exit);
  }
  detail::watch_all_loops(options.slow_step);
}

void stop() noexcept {
  auto& own = detail::service();
  detail::watch_all_loops(Duration());
  const std::lock_guard lock(own.mutex);
  if (own.pid != ::getpid()) return;
  ::unlink(own.path.c_str());
  ::shutdown(own.listener.get(), SHUT_RDWR);
  own.listener.reset();
  own.path.clear();
  own.pid = 0;
}

std::string report(Report kind) {
  const auto loops = detail::ask_all_loops();
  switch (kind) {
    case Report::table: return detail::render_table(loops);
    case Report::tree: return detail::render_tree(loops);
    case Report::metrics: return detail::metrics_of(loops);
    case Report::json: break;
  }
  return detail::render_json(loops);
}

std::string socket_path() {
  auto& own = detail::service();
  const std::lock_guard lock(own.mutex);
  return own.pid == ::getpid() ? own.path : std::string();
}

}  // namespace eddy::inspect

// SPDX-License-Identifier: MIT
#include <eddy/fs.hpp>
#include <eddy/fs_watch.hpp>
#include <eddy/signals.hpp>
#include <eddy/subprocess.hpp>
#include <eddy/terminal.hpp>

#include <csignal>
#include <iostream>
#include <unistd.h>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::AsyncGenerator;
using eddy::Coro;
namespace fs = eddy::fs;

// [run]
Coro<std::string> head_of(std::string repository) {
  auto done = co_await eddy::run_process({.capture_output = true, .check = true, .process = {.cwd = repository}, .timeout = 10s},
                                         "git", "rev-parse", "HEAD");
  co_return done.out;
}
// [/run]

// [communicate]
Coro<std::string> sorted(std::string lines) {
  auto process = co_await eddy::create_subprocess_exec({.in = eddy::PIPE, .out = eddy::PIPE}, "sort", "-u");
  auto [out, err] = co_await process.communicate(std::move(lines));
  co_return out;
}
// [/communicate]

// [lines]
Coro<int> count_lines(std::string command) {
  auto process = co_await eddy::create_subprocess_shell({.out = eddy::PIPE, .kill_on_destroy = true}, command);
  int lines = 0;
  while (auto line = co_await process.out.next()) ++lines;
  co_await process.wait();
  co_return lines;
}
// [/lines]

// [environment]
Coro<> with_an_environment() {
  const std::vector<std::string> changes{"LC_ALL=C", "http_proxy"};  // sets one, takes the other out
  const eddy::ResourceLimit limits[] = {{0 /* RLIMIT_CPU */, 10, 10}};
  auto process = co_await eddy::create_subprocess_exec({.cwd = "/", .env = changes, .rlimits = limits}, "true");
  co_await process.wait();
}
// [/environment]

// [tree]
Coro<> end_politely(eddy::Process& process) {  // started with .process_group = 0
  process.terminate();
  try {
    co_await eddy::wait_for(process.wait(), 5s);
  } catch (const eddy::TimeoutError&) {
    process.kill_tree();
  }
  co_await process.wait();
}
// [/tree]

// [signals]
Coro<> serve_until_told_to_stop() {
  auto signals = eddy::signals({SIGTERM, SIGHUP});
  while (auto number = co_await signals.next()) {
    if (number == SIGTERM) break;
    std::cout << "reads its configuration again\n";
  }
}
// [/signals]

// [files]
Coro<> copy_long_lines(std::string from, std::string to) {
  auto source = co_await fs::open(from);
  auto target = co_await fs::open(to, "w");
  while (auto line = co_await source.next()) {
    if (line->size() > 80) co_await target.write(std::move(*line));
  }
  co_await target.close();
}
// [/files]

// [atomic]
Coro<> save(std::string path, std::string settings) {
  co_await fs::write_text(path, std::move(settings), {.atomic = true, .sync = true});
}
// [/atomic]

// [walk]
Coro<std::int64_t> size_of_tree(std::string top) {
  std::int64_t total = 0;
  auto steps = fs::walk(top);
  while (auto* step = co_await steps.next()) {
    std::erase(step->directories, ".git");  // not into these
    for (const auto& name : step->files) {
      auto status = co_await fs::stat(step->path + "/" + name, {.follow_symlinks = false});
      total += status.size;
    }
  }
  co_return total;
}
// [/walk]

// [watch]
Coro<> rebuild_on_change(std::string folder) {
  auto watcher = co_await fs::watch(folder, {.recursive = true});
  while (auto event = co_await watcher.next()) {
    if (event->change == fs::Change::written) std::cout << "build " << event->path << '\n';
    if (event->path.ends_with("/stop")) break;
  }
}
// [/watch]

// [keys]
Coro<> read_keys() {
  const eddy::TerminalMode raw(eddy::TerminalMode::raw);
  auto keys = eddy::open_stdin();
  for (;;) {
    auto key = co_await keys.read(1);
    if (key.empty() || key == "q") break;
  }
}
// [/keys]

// [pty]
Coro<std::string> colours_of(std::string command) {  // which many programs show to terminals alone
  auto pty = eddy::open_pty({120, 40});
  auto process = co_await eddy::create_subprocess_shell({.in = pty.terminal(),
                                                         .out = pty.terminal(),
                                                         .err = eddy::STDOUT,
                                                         .start_new_session = true,
                                                         .controlling_terminal = true},
                                                        command);
  pty.close_terminal();
  auto shown = co_await pty.out.read();
  co_await process.wait();
  co_return shown;
}
// [/pty]

eddy::Coro<> subprocess_program() {
  auto lines = co_await sorted("b\na\nb\n");
  if (lines != "a\nb\n") throw std::runtime_error("sorted() gave " + lines);
  const int count = co_await count_lines("seq 5");
  if (count != 5) throw std::runtime_error("count_lines() gave another number");
  co_await with_an_environment();
  auto sleeper = co_await eddy::create_subprocess_exec({.process_group = 0}, "sleep", "100");
  co_await end_politely(sleeper);
  auto serving = eddy::create_task(serve_until_told_to_stop());
  co_await eddy::sleep(0s);
  ::kill(::getpid(), SIGTERM);
  co_await serving;

  auto folder = co_await fs::temporary_directory();
  co_await save(folder / "settings", std::string(100, 'x') + "\nshort\n");
  co_await copy_long_lines(folder / "settings", folder / "long");
  const auto size = co_await size_of_tree(folder.path());
  if (size != 107 + 101) throw std::runtime_error("size_of_tree() gave another size");
  auto watching = eddy::create_task(rebuild_on_change(folder.path()));
  co_await eddy::sleep(20ms);
  co_await fs::write_text(folder / "main.cpp", "int main() {}\n");
  co_await fs::write_text(folder / "stop", "");
  co_await watching;
  auto shown = co_await colours_of("stty size");
  if (shown != "40 120\r\n") throw std::runtime_error("colours_of() gave " + shown);
}

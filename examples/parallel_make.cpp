// SPDX-License-Identifier: MIT
// A small make: runs the commands of a graph, as many at a time as -j allows. What a command prints stays together. The
// first failure, or Ctrl-C, kills all that runs, with all that it started.
//
//     $ ./parallel_make -j 4 Makefile.small      the first target, as in:  app: a.o b.o
//                                                                              cc -o app a.o b.o
//     $ ./parallel_make                          a graph of its own, and one that fails
//     $ echo base
//     base
//     $ echo left
//     left
//     $ sleep 0.3; echo right
//     right
//     $ echo oh no >&2; exit 3
//     oh no
//     failed: broken: 'echo oh no >&2; exit 3' ended with exit code 3
#include <eddy/eddy.hpp>
#include <eddy/fs.hpp>

#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using eddy::Coro;

struct Rule {
  std::vector<std::string> needs, commands;
};
struct Graph {
  std::map<std::string, Rule> rules;
  std::string first;
};

Graph parse(const std::string& text) {
  Graph graph;
  std::istringstream lines(text);
  Rule* rule = nullptr;
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == line.npos || line[begin] == '#') continue;
    if (begin > 0 && rule) {
      rule->commands.push_back(line.substr(begin));
      continue;
    }
    const auto colon = line.find(':');
    if (colon == line.npos) throw eddy::ValueError("'" + line + "' is neither 'target: needs' nor an indented command");
    if (graph.first.empty()) graph.first = line.substr(0, colon);
    rule = &graph.rules[line.substr(0, colon)];
    std::istringstream needs(line.substr(colon + 1));
    for (std::string need; needs >> need;) rule->needs.push_back(need);
  }
  return graph;
}

class Make {
 public:
  Make(Graph graph, int jobs) : graph_(std::move(graph)), jobs_(jobs) {}

  Coro<> run() {
    check(graph_.first, {});
    auto build_all = [this](eddy::TaskGroup& group) -> Coro<> {
      start(group, graph_.first);
      co_return;
    };
    co_await eddy::task_group(build_all);
  }

 private:
  void check(const std::string& target, std::vector<std::string> path) {
    for (const auto& before : path) {
      if (before == target) throw eddy::ValueError("'" + target + "' needs itself");
    }
    path.push_back(target);
    const auto rule = graph_.rules.find(target);
    if (rule == graph_.rules.end()) throw eddy::ValueError("there is no rule for '" + target + "'");
    for (const auto& need : rule->second.needs) check(need, path);
  }

  // Each target once, however many need it.
  eddy::Task<> start(eddy::TaskGroup& group, const std::string& target) {
    const auto known = tasks_.find(target);
    if (known != tasks_.end()) return known->second;
    std::vector<eddy::Task<>> needs;
    for (const auto& need : graph_.rules[target].needs) needs.push_back(start(group, need));
    auto task = group.create_task(build(target, std::move(needs)), {.name = target});
    tasks_.emplace(target, task);
    return task;
  }

  Coro<> build(std::string target, std::vector<eddy::Task<>> needs) {
    if (!needs.empty()) co_await eddy::wait(std::move(needs));  // one that fails cancels us
    for (const auto& command : graph_.rules[target].commands) {
      auto slot = co_await jobs_;
      auto process = co_await eddy::create_subprocess_shell(
          {.in = eddy::DEVNULL, .out = eddy::PIPE, .err = eddy::STDOUT, .process_group = 0, .kill_on_destroy = true}, command);
      auto output = co_await process.communicate();
      std::cout << "$ " << command << '\n' << output.out << std::flush;
      if (process.returncode() == 0) continue;
      const eddy::CalledProcessError failure(command, *process.returncode(), {});
      throw std::runtime_error(target + ": " + failure.what());
    }
  }

  Graph graph_;
  eddy::Semaphore jobs_;
  std::map<std::string, eddy::Task<>> tasks_;
};

// False: it failed, and has said why.
Coro<bool> make(std::string text, int jobs) {
  try {
    Make make(parse(text), jobs);
    co_await make.run();
    co_return true;
  } catch (const eddy::ExceptionGroup& group) {
    for (const auto& error : group.exceptions()) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& reason) {
        std::cout << "failed: " << reason.what() << std::endl;
      }
    }
  } catch (const eddy::ValueError& error) {
    std::cout << "failed: " << error.what() << std::endl;
  }
  co_return false;
}

Coro<bool> show() {
  co_await make("all: right left\nbase:\n\techo base\nleft: base\n\techo left\nright: base\n\tsleep 0.3; echo right\n", 2);
  const bool built = co_await make("all: broken slow\nbroken:\n\techo oh no >&2; exit 3\nslow:\n\tsleep 100 & wait\n", 2);
  co_return !built;
}

Coro<bool> make_file(std::string path, int jobs) {
  auto text = co_await eddy::fs::read_text(path);
  co_return co_await make(std::move(text), jobs);
}

int main(int argc, char** argv) {
  int jobs = 2;
  int next = 1;
  if (argc > 2 && std::string_view(argv[1]) == "-j") {
    jobs = std::atoi(argv[2]);
    next = 3;
  }
  if (jobs < 1 || argc > next + 1) {
    std::cerr << "usage: parallel_make [-j JOBS] [FILE]\n";
    return 2;
  }
  if (next == argc) return eddy::run(show()) ? 0 : 1;
  return eddy::run(make_file(argv[next], jobs)) ? 0 : 1;
}

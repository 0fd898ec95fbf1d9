// SPDX-License-Identifier: MIT
// eddy ps, pstree, metrics: what the tasks of a running program wait for.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <eddy/exceptions.hpp>
#include <eddy/inspect.hpp>
#include <string>
#include <thread>

#include "commands.hpp"

namespace {

namespace inspect = eddy::inspect;

struct Arguments {
  int pid = 0;
  bool json = false;
  bool metrics = false;
  int retries = 0;
  double timeout = 5;
  std::string debug;  // "on", "off"
};

std::chrono::milliseconds timeout_of(const Arguments& arguments) {
  return std::chrono::milliseconds(std::llround(arguments.timeout * 1000));
}

int list_processes() {
  const auto processes = inspect::processes();
  if (processes.empty()) {
    std::fputs("no process of this user can be looked into; start one with EDDY_INSPECT=1\n", stdout);
    return 0;
  }
  std::printf("%8s  PROGRAM\n", "PID");
  for (const auto& process : processes) std::printf("%8d  %s\n", process.pid, process.program.c_str());
  return 0;
}

std::string ask(const Arguments& arguments, inspect::Report report) {
  const auto timeout = timeout_of(arguments);
  for (int left = arguments.retries;; --left) {
    try {
      return inspect::report_of(arguments.pid, report, timeout);
    } catch (const eddy::ProcessLookupError&) {
      throw;
    } catch (const eddy::OSError&) {  // it does not listen yet, or is slow
      if (left <= 0) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int run(const char* name, const Arguments& arguments, inspect::Report report) {
  try {
    if (arguments.pid == 0) return list_processes();
    if (!arguments.debug.empty()) {
      inspect::set_debug_of(arguments.pid, arguments.debug == "on", timeout_of(arguments));
      return 0;
    }
    if (arguments.metrics)
      report = inspect::Report::metrics;
    else if (arguments.json)
      report = inspect::Report::json;
    std::fputs(ask(arguments, report).c_str(), stdout);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eddy %s: %s\n", name, error.what());
    return 1;
  }
}

int command(int argc, char** argv, const char* name, const char* help, inspect::Report report) {
  Arguments arguments;
  CLI::App app(help, std::string("eddy ") + name);
  app.add_option("pid", arguments.pid, "the process; without it, those that can be looked into are listed")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  app.add_option("-r,--retries", arguments.retries,
                 "ask again so many times if it does not listen yet or is slow")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-t,--timeout", arguments.timeout, "seconds to wait for an answer; default 5")
      ->check(CLI::PositiveNumber);
  if (report != inspect::Report::metrics) {
    auto* json = app.add_flag("--json", arguments.json, "everything, as one JSON object");
    auto* metrics =
        app.add_flag("--metrics", arguments.metrics, "what its loops have done, as OpenMetrics text");
    json->excludes(metrics);
    app.add_option("--debug", arguments.debug, "switch the debug mode of its loops")
        ->check(CLI::IsMember({"on", "off"}));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run(name, arguments, report);
}

}  // namespace

int ps_command(int argc, char** argv) {
  return command(
      argc, argv, "ps",
      "Prints the tasks of a running program: state, coroutine, where it was made, what it waits for.\n"
      "The program has to be started with EDDY_INSPECT=1, or call eddy::inspect::serve().",
      inspect::Report::table);
}

int pstree_command(int argc, char** argv) {
  return command(
      argc, argv, "pstree",
      "Prints the tasks of a running program as a tree: who waits for whom, by function and line.\n"
      "The program has to be started with EDDY_INSPECT=1, or call eddy::inspect::serve().",
      inspect::Report::tree);
}

int metrics_command(int argc, char** argv) {
  return command(argc, argv, "metrics",
                 "Prints what the loops of a running program have done, as OpenMetrics text.",
                 inspect::Report::metrics);
}

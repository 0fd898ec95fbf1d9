// SPDX-License-Identifier: MIT
#include "commands.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string_view>

namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(int argc, char** argv);
};

constexpr std::array kCommands{
    Command{"crawl", "fetch pages, follow links, write items", crawl_command},
    Command{"demo", "crawl a built-in site", demo_command},
    Command{"doctor", "say which back ends this machine allows, and why not others", doctor_command},
    Command{"metrics", "print the counters of a running program's loops", metrics_command},
    Command{"ps", "list the tasks of a running program", ps_command},
    Command{"pstree", "print the tasks of a running program as a tree", pstree_command},
    Command{"select", "print the elements of an HTML page that match a CSS selector", select_command},
    Command{"serve", "serve the files of a folder over HTTP", serve_command},
};

void print_usage(std::FILE* out) {
  std::fputs("usage: eddy COMMAND [ARGUMENT...]\n\ncommands:\n", out);
  for (const auto& command : kCommands) {
    std::fprintf(out, "  %-10s %s\n", command.name.data(), command.summary.data());
  }
  std::fputs("\n'eddy COMMAND --help' tells more. 'eddy --version' prints the version.\n", out);
}

int run(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h") return print_usage(stdout), 0;
  if (name == "--version") return std::puts("eddy " EDDY_VERSION), 0;
  const auto command =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == name; });
  if (command != kCommands.end()) return command->run(argc - 1, argv + 1);
  if (name.empty()) {
    std::fputs("eddy: no command given\n", stderr);
  } else {
    std::fprintf(stderr, "eddy: no command is called '%s'\n", argv[1]);
  }
  print_usage(stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eddy: %s\n", error.what());
    return 1;
  }
}

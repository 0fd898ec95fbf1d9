// SPDX-License-Identifier: MIT
// eddy doctor: what this machine lets a loop wait with, and why not more; who tells it the addresses of names.
#include <sys/resource.h>
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <eddy/backends.hpp>
#include <eddy/dns.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/runners.hpp>
#include <string>

#include "commands.hpp"

namespace {

void print_row(const char* name, const std::string& text) { std::printf("%-14s %s\n", name, text.c_str()); }

std::string kernel() {
  utsname names{};
  return ::uname(&names) == 0 ? std::string(names.sysname) + " " + names.release : "unknown";
}

std::string limit_text(rlim_t limit) { return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit); }

std::string descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto text = limit_text(limit.rlim_cur);
  if (limit.rlim_cur == limit.rlim_max) return text;
  return text + "; 'ulimit -n " + limit_text(limit.rlim_max) + "' would give more";
}

eddy::Coro<std::string> who_resolves_names() { co_return eddy::default_resolver().explain(); }

std::string describe(const eddy::BackendStatus& status) {
  if (status.usable) return status.backend == eddy::Backend::select ? "yes, for descriptors below 1024" : "yes";
  return "no: " + status.reason + (status.remedy.empty() ? "" : "; to change that: " + status.remedy);
}

bool print_back_ends() {
  std::puts("\nback ends");
  bool chosen_is_usable = true;
  const auto choice = eddy::choose_backend();
  for (const auto& status : eddy::backend_statuses()) {
    print_row(("  " + std::string(eddy::to_string(status.backend))).c_str(), describe(status));
    if (status.backend == choice.backend) chosen_is_usable = status.usable;
  }
  const auto features = eddy::io_uring_features();
  if (!features.empty()) std::puts("\nio_uring");
  for (const auto& feature : features) {
    std::printf("  %-3s %s: %s\n", feature.available ? "yes" : "no", feature.name.c_str(), feature.use.c_str());
  }
  const char* wanted = std::getenv("EDDY_BACKEND");
  std::puts("");
  print_row("EDDY_BACKEND", wanted && *wanted ? wanted : "not set");
  print_row("a loop gets", std::string(eddy::to_string(choice.backend)) + ": " + choice.reason);
  return chosen_is_usable;
}

}  // namespace

int doctor_command(int argc, char** argv) {
  CLI::App app(
      "Prints which back ends a loop can use on this machine, why not the others, and which one it gets;\n"
      "and who is asked for the addresses of names.\n"
      "Ends with status 1 if EDDY_BACKEND asks for one that cannot be used.",
      "eddy doctor");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  print_row("eddy", EDDY_VERSION);
  print_row("kernel", kernel());
  print_row("descriptors", descriptor_limit());
  print_row("names", eddy::run(who_resolves_names(), {.backend = eddy::Backend::epoll}));
  std::fflush(stdout);
  try {
    if (print_back_ends()) return 0;
    std::fflush(stdout);
    std::fputs("eddy doctor: the back end that EDDY_BACKEND asks for cannot be used\n", stderr);
  } catch (const eddy::ValueError& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "eddy doctor: %s\n", error.what());
  }
  return 1;
}

// SPDX-License-Identifier: MIT
// Options into a plan, a plan into a process.
#include <eddy/exceptions.hpp>
#include <eddy/subprocess.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/process_core.hpp"
#include "io/stream_core.hpp"

namespace eddy {
namespace detail {
namespace {

// What was asked for, in memory of its own: the coroutine may begin when the caller's is gone.
struct SubprocessPlan {
  SpawnPlan spawn;
  std::string name;  // of the program, as the caller gave it
  Redirect redirects[3];
  std::vector<int> pass_fds;
  std::size_t limit;
  bool kill_on_destroy;
};

bool sets_the_name(const std::string& entry, std::string_view name) {
  return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
}

std::vector<std::string> environment_of(const SubprocessOptions& options) {
  std::vector<std::string> environment;
  if (!options.clear_env) {
    for (char** entry = environ; entry && *entry; ++entry) environment.emplace_back(*entry);
  }
  for (const auto& entry : options.env) {
    const auto name = std::string_view(entry).substr(0, entry.find('='));
    std::erase_if(environment, [name](const std::string& old) { return sets_the_name(old, name); });
    if (name.size() < entry.size()) environment.push_back(entry);
  }
  return environment;
}

SubprocessPlan plan_of(const SubprocessOptions& options, std::vector<std::string> arguments) {
  SubprocessPlan plan{};
  plan.name = arguments.front();
  plan.spawn.arguments = std::move(arguments);
  plan.spawn.environment = environment_of(options);
  plan.spawn.directory = options.cwd;
  plan.spawn.close_others = options.close_fds;
  plan.spawn.session = options.start_new_session;
  plan.spawn.terminal = options.controlling_terminal;
  plan.spawn.process_group = options.process_group;
  plan.spawn.umask = options.umask;
  for (const auto& [resource, soft, hard] : options.rlimits) plan.spawn.limits.push_back({resource, soft, hard});
  const bool changes_user = (options.user >= 0 || options.group >= 0) && ::geteuid() == 0;
  plan.spawn.set_groups = changes_user || !options.extra_groups.empty();
  plan.spawn.groups.assign(options.extra_groups.begin(), options.extra_groups.end());
  plan.spawn.user = options.user;
  plan.spawn.group = options.group;
  plan.spawn.death_signal = options.death_signal;
  plan.redirects[0] = options.in;
  plan.redirects[1] = options.out;
  plan.redirects[2] = options.err;
  plan.pass_fds.assign(options.pass_fds.begin(), options.pass_fds.end());
  plan.limit = options.limit;
  plan.kill_on_destroy = options.kill_on_destroy;
  return plan;
}

[[noreturn]] void refuse(const SubprocessPlan& plan, std::string_view why) {
  throw ValueError(fmt::format("cannot start '{}': {}", plan.name, why));
}

void check(const SubprocessPlan& plan) {
  const auto has_zero = [](const std::string& text) { return text.find('\0') != text.npos; };
  if (plan.name.empty()) refuse(plan, "the program has no name");
  if (std::ranges::any_of(plan.spawn.arguments, has_zero)) refuse(plan, "an argument has a zero byte in it");
  if (std::ranges::any_of(plan.spawn.environment, has_zero)) refuse(plan, "its environment has a zero byte in it");
  if (has_zero(plan.spawn.directory)) refuse(plan, "the directory has a zero byte in it");
  for (int i : {0, 1}) {
    if (plan.redirects[i].kind() == Redirect::Kind::standard_output) refuse(plan, "STDOUT is for err alone");
  }
  for (const auto& redirect : plan.redirects) {
    if (redirect.kind() == Redirect::Kind::descriptor && redirect.descriptor() < 0) {
      refuse(plan, fmt::format("descriptor {} is not open", redirect.descriptor()));
    }
  }
  for (int fd : plan.pass_fds) {
    if (fd < 3) refuse(plan, fmt::format("pass_fds has {}: 0 to 2 are in, out and err", fd));
  }
  if (plan.spawn.session && plan.spawn.process_group >= 0) {
    refuse(plan, "start_new_session and process_group exclude each other: a session is a group of its own");
  }
  if (plan.spawn.terminal && !plan.spawn.session) refuse(plan, "controlling_terminal needs start_new_session");
}

// As the shell does it, but with the child's PATH.
std::vector<std::string> files_to_try(const SubprocessPlan& plan) {
  if (plan.name.find('/') != plan.name.npos) return {plan.name};
  std::string_view path = "/bin:/usr/bin";
  for (const auto& entry : plan.spawn.environment) {
    if (sets_the_name(entry, "PATH")) path = std::string_view(entry).substr(5);
  }
  std::vector<std::string> files;
  for (;;) {
    const auto end = path.find(':');
    const auto folder = path.substr(0, end);
    files.push_back(folder.empty() ? plan.name : fmt::format("{}/{}", folder, plan.name));
    if (end == path.npos) return files;
    path.remove_prefix(end + 1);
  }
}

[[noreturn]] void throw_failure(const SubprocessPlan& plan, const Spawned& spawned) {
  if (spawned.failed == SpawnStage::clone && spawned.error == ENOSYS) {
    throw OSError(ENOSYS, fmt::format("cannot start '{}': eddy's subprocesses need Linux 5.4 or newer", plan.name));
  }
  auto operation = fmt::format("cannot start '{}'", plan.name);
  const auto& file = plan.spawn.files.front();
  if (spawned.failed == SpawnStage::directory) operation += fmt::format(" in directory '{}'", plan.spawn.directory);
  else if (spawned.failed != SpawnStage::execute) operation += fmt::format(": {}", to_string(spawned.failed));
  else if (spawned.error == ENOENT && plan.spawn.files.size() == 1 && ::access(file.c_str(), F_OK) == 0)
    operation += ", whose first line names an interpreter that does not exist";
  else if (spawned.error == ENOEXEC) operation += ", which is no program; a script begins with #!/bin/sh";
  throw_os_error(spawned.error, operation);
}

// Our ends and the child's of what is redirected.
struct Wiring {
  UniqueFd ours[3];
  UniqueFd theirs[3];
  int source[3] = {-1, -1, -1};  // the child's 0, 1, 2; -1: inherited
};

void open_pipe_for(const SubprocessPlan& plan, Wiring& wiring, int place) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_os_error(errno, fmt::format("cannot start '{}': pipe", plan.name));
  const bool child_reads = place == 0;
  wiring.ours[place] = UniqueFd(ends[child_reads ? 1 : 0]);
  wiring.theirs[place] = UniqueFd(ends[child_reads ? 0 : 1]);
  ::fcntl(wiring.ours[place].get(), F_SETFL, O_NONBLOCK);  // of our end only: the child expects to block
}

Wiring wire(const SubprocessPlan& plan) {
  Wiring wiring;
  for (int place = 0; place < 3; ++place) {
    const auto& redirect = plan.redirects[place];
    auto& theirs = wiring.theirs[place];
    switch (redirect.kind()) {
      case Redirect::Kind::inherit: continue;
      case Redirect::Kind::descriptor: wiring.source[place] = redirect.descriptor(); continue;
      case Redirect::Kind::standard_output: wiring.source[2] = wiring.source[1] < 0 ? 1 : wiring.source[1]; continue;
      case Redirect::Kind::pipe: open_pipe_for(plan, wiring, place); break;
      case Redirect::Kind::nothing:
        theirs = UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (!theirs) throw_os_error(errno, fmt::format("cannot start '{}': /dev/null", plan.name));
    }
    wiring.source[place] = theirs.get();
  }
  return wiring;
}

Coro<Process> start(SubprocessPlan plan) {
  using eddy_body [[maybe_unused]] = int;
  check(plan);
  auto wiring = wire(plan);
  for (int place = 0; place < 3; ++place) {
    if (wiring.source[place] >= 0) plan.spawn.descriptors.push_back({wiring.source[place], place});
  }
  for (int fd : plan.pass_fds) plan.spawn.descriptors.push_back({fd, fd});
  plan.spawn.files = files_to_try(plan);
  auto& loop = Loop::running();
  StreamWriter in;
  StreamReader out, err;
  if (wiring.ours[0]) in = make_pipe_writer(loop, wiring.ours[0].release());
  if (wiring.ours[1]) out = make_pipe_reader(loop, wiring.ours[1].release(), plan.limit);
  if (wiring.ours[2]) err = make_pipe_reader(loop, wiring.ours[2].release(), plan.limit);
  auto spawned = spawn(plan.spawn);
  if (spawned.failed != SpawnStage::none) throw_failure(plan, spawned);
  const bool leads_group = plan.spawn.session || plan.spawn.process_group == 0;
  auto handle = ProcessCore::adopt(loop, std::move(spawned), std::move(plan.name), leads_group, plan.kill_on_destroy);
  co_return Process(std::move(handle), std::move(in), std::move(out), std::move(err));
}

}  // namespace

Coro<Process> create_subprocess(const SubprocessOptions& options, std::vector<std::string> arguments) {
  if (arguments.empty()) throw ValueError("create_subprocess_exec: there is no program to start");
  return start(plan_of(options, std::move(arguments)));
}

std::vector<std::string> shell_arguments(std::string_view command) { return {"/bin/sh", "-c", std::string(command)}; }

}  // namespace detail

int Process::pid() const noexcept { return handle_.core().pid(); }
std::optional<int> Process::returncode() const noexcept { return handle_.core().returncode(); }
bool Process::send_signal(int number) const { return handle_.core().send_signal(number); }
bool Process::terminate() const { return send_signal(SIGTERM); }
bool Process::kill() const { return send_signal(SIGKILL); }
bool Process::kill_tree() const { return handle_.core().kill_tree(); }

}  // namespace eddy

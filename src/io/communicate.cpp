// SPDX-License-Identifier: MIT
// Talking to a child until both sides have ended.
#include <eddy/exceptions.hpp>
#include <eddy/subprocess.hpp>
#include <eddy/taskgroups.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>

#include "base/spawn.hpp"
#include "base/text.hpp"
#include "io/process_core.hpp"

namespace eddy {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

// A child that does not want its input closes its end: no error.
Coro<> feed(StreamWriter writer, std::string_view input) {
  try {
    while (!input.empty() && !writer.is_closing()) {
      writer.write(input.substr(0, kPiece));
      input.remove_prefix(std::min(kPiece, input.size()));
      co_await writer.drain();
    }
  } catch (const ConnectionError&) {
  }
  writer.close();
}

Coro<> collect(StreamReader reader, std::string_view which, std::string& into, std::size_t limit) {
  for (;;) {
    const bool more = co_await reader.more();
    if (reader.buffered().size() > limit) {
      throw LimitOverrunError(fmt::format("{} of a process is longer than the limit of {} bytes", which, limit), limit);
    }
    if (!more) break;
  }
  into = reader.buffered();
  reader.consume(into.size());
}

void kill_what_can_be(const Process& process, bool tree) {
  if (tree) process.kill_tree();
  else process.kill();
}

Coro<ProcessOutput> talk(Process process, std::string input, CommunicateOptions options, bool leads_group) {
  if (!input.empty() && !process.in) throw ValueError("communicate: there is input, but the process's in is no PIPE");
  ProcessOutput output;
  std::exception_ptr failure;
  auto transfer = [&](TaskGroup& group) -> Coro<> {
    if (process.in) group.create_task(feed(process.in, input), {.name = "communicate: in"});
    if (process.out) group.create_task(collect(process.out, "out", output.out, options.limit), {.name = "communicate: out"});
    if (process.err) group.create_task(collect(process.err, "err", output.err, options.limit), {.name = "communicate: err"});
    co_return;
  };
  try {
    co_await task_group(transfer);
  } catch (const ExceptionGroup& group) {
    failure = group.exceptions().front();
  }
  if (failure) kill_what_can_be(process, leads_group);
  co_await process.wait();
  if (failure) std::rethrow_exception(failure);
  co_return output;
}

std::string shown(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[0] == "/bin/sh" && arguments[1] == "-c") return arguments[2];
  std::string text;
  for (const auto& argument : arguments) text += (text.empty() ? "" : " ") + argument;
  return text;
}

ProcessOutput rest_of(const Process& process) {
  ProcessOutput rest;
  if (process.out) rest.out = process.out.buffered();
  if (process.err) rest.err = process.err.buffered();
  return rest;
}

struct RunPlan {
  std::string command;
  std::string input;
  bool check;
  bool leads_group;
  Duration timeout;
  std::size_t output_limit;
};

Coro<CompletedProcess> run(RunPlan plan, Coro<Process> starting) {
  auto process = co_await std::move(starting);
  ProcessOutput output;
  std::exception_ptr failure;
  bool expired = false;
  try {
    auto talking = talk(process, std::move(plan.input), {.limit = plan.output_limit}, plan.leads_group);
    output = co_await wait_for(std::move(talking), plan.timeout);
  } catch (const TimeoutError&) {
    expired = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (expired || failure) {
    kill_what_can_be(process, plan.leads_group);
    co_await process.wait();
  }
  if (expired) throw TimeoutExpired(plan.command, plan.timeout, rest_of(process));
  if (failure) std::rethrow_exception(failure);
  CompletedProcess completed{std::move(plan.command), *process.returncode(), std::move(output.out), std::move(output.err)};
  if (plan.check) completed.check_returncode();
  co_return completed;
}

// The last line that it wrote to `err`: what most programs say before they give up.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto begin = text.rfind('\n');
  if (begin != text.npos) text.remove_prefix(begin + 1);
  constexpr std::size_t kMost = 200;
  return text.empty() ? std::string() : fmt::format(": {}{}", text.substr(0, kMost), text.size() > kMost ? "…" : "");
}

}  // namespace

Coro<ProcessOutput> Process::communicate(std::string input, CommunicateOptions options) const {
  return talk(*this, std::move(input), options, handle_.core().leads_group());
}

CalledProcessError::CalledProcessError(std::string command, int returncode, ProcessOutput output)
    : SubprocessError(fmt::format("'{}' {}{}", command, detail::describe_exit(returncode), last_line(output.err))),
      command_(std::move(command)),
      returncode_(returncode),
      output_(std::move(output)) {}

TimeoutExpired::TimeoutExpired(std::string command, Duration timeout, ProcessOutput output)
    : TimeoutError(fmt::format("'{}' did not end within {}, and was killed", command, detail::format_duration(timeout.count()))),
      command_(std::move(command)),
      timeout_(timeout),
      output_(std::move(output)) {}

void CompletedProcess::check_returncode() const {
  if (returncode != 0) throw CalledProcessError(command, returncode, {out, err});
}

Coro<CompletedProcess> detail::run_process(const RunProcessOptions& options, std::vector<std::string> arguments) {
  auto process = options.process;
  if (!options.input.empty()) process.in = PIPE;
  if (options.capture_output) process.out = process.err = PIPE;
  if (options.kill_tree && !process.start_new_session && process.process_group < 0) process.process_group = 0;
  const bool leads_group = process.start_new_session || process.process_group == 0;
  RunPlan plan{shown(arguments), std::string(options.input), options.check, leads_group, options.timeout, options.output_limit};
  return run(std::move(plan), create_subprocess(process, std::move(arguments)));
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
// Runs the seeds and prints a table: id, what is expected, what came, the time, pass or fail.
//
//     $ ./seeds                     on the virtual clock
//     $ ./seeds --real              on the real one, every time a tenth
//     $ ./seeds --backend poll      on another back end; on the real clock
//     $ ./seeds --list
//     $ ./seeds AIO-13 SYN          those whose id begins so
//
// On the real clock, time for which other programs had the processor is forgiven.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>

#include "seed.hpp"

namespace seed {
namespace {

constexpr double kRealScale = 0.1;

std::vector<Entry>& entries() {
  static std::vector<Entry> all;
  return all;
}

struct State {
  bool real = false;  // of the seed that runs
  eddy::Backend backend = eddy::Backend::simulated;
  std::chrono::nanoseconds on_loops{0};
  std::optional<eddy::TimePoint> began;
  std::mutex mutex;
  std::string printed;
} state;

double scale() { return state.real ? kRealScale : 1; }

// How long this thread was ready to run while others had the processor. 0 where the kernel does not tell.
std::chrono::nanoseconds kept_waiting() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t running = 0, waiting = 0;
  file >> running >> waiting;
  return std::chrono::nanoseconds(waiting);
}

struct Outcome {
  std::string printed;
  double seconds;  // in the seed's own
  bool right, in_time;
};

Outcome run_once(const Entry& entry) {
  state.printed.clear();
  state.on_loops = {};
  state.began.reset();
  const auto waited = kept_waiting();
  const auto began = std::chrono::steady_clock::now();
  try {
    if (entry.coroutine)
      seed::run(entry.coroutine());
    else
      entry.function();
  } catch (const std::exception& error) {
    print("threw:", error.what());
  } catch (const eddy::BaseException&) {
    print("was cancelled");
  }
  const std::chrono::nanoseconds on_the_wall = std::chrono::steady_clock::now() - began;
  const auto passed = state.real ? on_the_wall : state.on_loops;
  Outcome outcome{state.printed, std::chrono::duration<double>(passed).count() / scale(), false, true};
  outcome.right = outcome.printed == entry.expected;
  if (entry.time.value >= 0) {
    const std::chrono::nanoseconds due = eddy::Duration(entry.time);
    const std::chrono::nanoseconds slack =
        std::max(due / 20, std::chrono::nanoseconds(std::chrono::milliseconds(50))) +
        (kept_waiting() - waited);
    outcome.in_time = passed >= due && passed <= (state.real ? due + slack : due);
  }
  return outcome;
}

// One line of it, at most `width` bytes without cutting a character.
std::string shortened(std::string text, std::size_t width) {
  std::replace(text.begin(), text.end(), '\n', '|');
  if (text.size() <= width) return text;
  std::size_t end = width - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

// Pads by characters, not by bytes.
std::string padded(std::string text, std::size_t width) {
  const auto characters = static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  if (characters < width) text.append(width - characters, ' ');
  return text;
}

std::string time_text(double seconds) {
  if (seconds < 0) return "any";
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", seconds);
  return text;
}

bool run_and_tell(const Entry& entry, bool real) {
  state.real = real || entry.threads;
  auto outcome = run_once(entry);
  // On a machine with others on it, one run that is late is not yet a finding.
  const bool repeats = state.real && outcome.right && !outcome.in_time;
  if (repeats) outcome = run_once(entry);
  const bool passed = outcome.right && outcome.in_time;
  std::printf("%-7s %s %s %s %-7s %-8s %s%s\n", entry.id, padded(shortened(entry.title, 50), 50).c_str(),
              padded(shortened(entry.expected, 40), 40).c_str(),
              padded(shortened(outcome.printed, 40), 40).c_str(), time_text(entry.time.value).c_str(),
              time_text(std::round(outcome.seconds * 1000) / 1000).c_str(), passed ? "pass" : "FAIL",
              repeats                  ? " (second run)"
              : entry.threads && !real ? " (real clock)"
                                       : "");
  if (!outcome.right)
    std::printf("  expected:\n%s\n  came:\n%s\n", entry.expected, outcome.printed.c_str());
  else if (!outcome.in_time)
    std::printf("  the time is wrong\n");
  std::fflush(stdout);
  return passed;
}

bool selected(const Entry& entry, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& prefix) {
           return std::string_view(entry.id).starts_with(prefix);
         });
}

std::optional<eddy::Backend> backend_named(std::string_view name) {
  for (auto backend : eddy::available_backends()) {
    if (eddy::to_string(backend) == name) return backend;
  }
  return std::nullopt;
}

int usage() {
  std::fputs("usage: seeds [--real] [--backend NAME] [--list] [ID…]\n", stderr);
  return 2;
}

}  // namespace

Registration::Registration(Entry entry) { entries().push_back(entry); }

Seconds::operator eddy::Duration() const {
  return eddy::Duration::nanoseconds(std::llround(value * scale() * 1e9));
}

void blocking_sleep(Seconds length) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(eddy::Duration(length)));
}

eddy::RunOptions run_options() { return {.backend = loop_options().backend}; }
eddy::LoopOptions loop_options() {
  const bool simulated = state.backend == eddy::Backend::simulated;
  return {.backend = simulated && state.real ? eddy::Backend::automatic : state.backend};
}

LoopTime::LoopTime(eddy::EventLoop& loop) : loop_(loop), began_(loop.time()) { state.began = began_; }
LoopTime::~LoopTime() { state.on_loops += loop_.time() - began_; }

int seconds_passed() {
  const auto passed = eddy::get_running_loop().time() - *state.began;
  return static_cast<int>(std::chrono::duration<double>(passed).count() / scale() + 0.25);
}

void detail::print_line(std::string line) {
  const std::lock_guard lock(state.mutex);
  if (!state.printed.empty()) state.printed += '\n';
  state.printed += line;
}

int main(int argc, char** argv) {
  bool real = false, list = false;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--real")
      real = true;
    else if (word == "--list")
      list = true;
    else if (word == "--backend" && i + 1 < argc) {
      const auto backend = backend_named(argv[++i]);
      if (!backend) return usage();
      state.backend = *backend;
      real = true;
    } else if (word.starts_with("-"))
      return usage();
    else
      wanted.emplace_back(word);
  }
  auto& all = entries();
  std::stable_sort(all.begin(), all.end(),
                   [](const Entry& a, const Entry& b) { return std::strcmp(a.id, b.id) < 0; });
  std::size_t run = 0, passed = 0, absent = 0;
  if (!list)
    std::printf("%-7s %-50s %-40s %-40s %-7s %-8s\n", "id", "seed", "expected", "came", "time", "took");
  for (const auto& entry : all) {
    if (!selected(entry, wanted)) continue;
    const bool has_program = entry.coroutine || entry.function;
    ++(has_program ? run : absent);
    if (!has_program)
      std::printf("%-7s %s: no seed: %s\n", entry.id, entry.title, entry.expected);
    else if (list)
      std::printf("%-7s %s\n", entry.id, entry.title);
    else
      passed += run_and_tell(entry, real);
  }
  if (run + absent == 0) {
    std::fputs("no seed has such an id; --list shows them\n", stderr);
    return 2;
  }
  if (list) return 0;
  std::printf("%zu of %zu seeds pass", passed, run);
  std::printf(absent > 0 ? "; %zu rows have none\n" : "\n", absent);
  return passed == run ? 0 : 1;
}

}  // namespace seed

int main(int argc, char** argv) { return seed::main(argc, argv); }

// SPDX-License-Identifier: MIT
#include "crawl_report.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <eddy/events.hpp>

#include <fmt/format.h>

namespace {

using eddy::crawl::Stats;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string size_text(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.0f} kB", number / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", number / 1e6);
  return fmt::format("{:.2f} GB", number / 1e9);
}

std::string counted(std::size_t number, const char* one, const char* many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

}  // namespace

Progress::Progress(const eddy::crawl::Spider& spider) : spider_(spider), terminal_(::isatty(STDERR_FILENO) == 1) {
  wait();
}

Progress::~Progress() {
  timer_.cancel();
  if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::wait() {
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000);
  timer_ = eddy::get_running_loop().call_later(pause, [this] {
    show();
    wait();
  });
}

void Progress::show() const {
  const auto text = progress_text(spider_.stats());
  if (terminal_) std::fprintf(stderr, "\r%s\033[K", text.substr(0, terminal_width() - 1).c_str());
  else std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

std::string progress_text(const Stats& stats) {
  return fmt::format("{}, {} queued, {}, {:.0f} pages/s", counted(stats.pages, "page", "pages"), stats.queued,
                     counted(stats.failed, "error", "errors"), stats.pages_per_second());
}

std::string summary_text(const Stats& stats, const std::map<std::string, std::string>& errors, bool interrupted) {
  auto text = fmt::format("{}{}, {} failed, {}, {:.2f} s, {:.0f} pages/s\n", interrupted ? "interrupted: " : "",
                          counted(stats.pages, "page", "pages"), stats.failed, size_text(stats.bytes),
                          static_cast<double>(stats.elapsed.count()) / 1e9, stats.pages_per_second());
  std::string extra = counted(stats.requests, "request", "requests");
  if (stats.retries > 0) extra += ", " + counted(stats.retries, "retry", "retries");
  if (stats.redirects > 0) extra += ", " + counted(stats.redirects, "redirect", "redirects");
  if (stats.forbidden > 0) extra += fmt::format(", {} forbidden by robots.txt", stats.forbidden);
  if (stats.dropped > 0) extra += ", " + counted(stats.dropped, "link", "links") + " past a limit";
  if (interrupted) extra += fmt::format(", {} not fetched", stats.queued);
  text += extra + '\n';
  for (const auto& [url, reason] : errors) text += fmt::format("failed: {}: {}\n", url, reason);
  if (errors.size() < stats.failed) text += fmt::format("failed: {} more\n", stats.failed - errors.size());
  return text;
}

void print_summary(const Stats& stats, const std::map<std::string, std::string>& errors, bool interrupted) {
  std::fputs(summary_text(stats, errors, interrupted).c_str(), stderr);
}

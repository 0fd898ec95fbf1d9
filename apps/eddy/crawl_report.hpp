// SPDX-License-Identifier: MIT
// What people see of a crawl.
#pragma once

#include <eddy/clock.hpp>
#include <eddy/crawl/spider.hpp>
#include <eddy/detail/callback.hpp>
#include <map>
#include <string>

/// Shows how far a crawl is on standard error, as long as it lives: on a terminal one line that is rewritten ten
/// times a second and cleared at the end, else a line every ten seconds. Belongs to the running loop.
class Progress {
 public:
  explicit Progress(const eddy::crawl::Spider& spider);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

 private:
  void wait();
  void show() const;

  const eddy::crawl::Spider& spider_;
  bool terminal_;
  eddy::TimerHandle timer_;
};

/// "123 pages, 45 queued, 2 errors, 131 pages/s".
std::string progress_text(const eddy::crawl::Stats& stats);

/// How it went: totals, then each failed URL with its reason.
std::string summary_text(const eddy::crawl::Stats& stats, const std::map<std::string, std::string>& errors,
                         bool interrupted);
void print_summary(const eddy::crawl::Stats& stats, const std::map<std::string, std::string>& errors,
                   bool interrupted);

// SPDX-License-Identifier: MIT
#include "crawl/output_file.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace eddy::crawl {

OutputFile::OutputFile(std::string_view path) : job_(std::make_shared<Job>()) {
  if (path == "-") {
    job_->name = "standard output";
    job_->descriptor = STDOUT_FILENO;
    job_->is_ours = false;
    return;
  }
  job_->name = "'" + std::string(path) + "'";
  job_->descriptor = ::open(std::string(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (job_->descriptor < 0) throw_os_error(errno, "open " + job_->name);
}

OutputFile::~OutputFile() = default;

OutputFile::Job::~Job() {
  if (is_ours && descriptor >= 0) ::close(descriptor);
}

void OutputFile::Job::write() {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto count = ::write(descriptor, bytes.data() + written, bytes.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      const int error = errno;
      bytes.erase(0, written);
      throw_os_error(error, "write " + name);
    }
  }
  bytes.clear();
}

void OutputFile::Job::close() {
  write();
  if (!is_ours || descriptor < 0) return;
  if (::close(std::exchange(descriptor, -1)) != 0 && errno != EINTR) throw_os_error(errno, "close " + name);
}

Coro<> OutputFile::flush() {
  auto held = co_await lock_;
  job_->bytes += buffer_;
  buffer_.clear();
  if (job_->bytes.empty()) co_return;
  auto write = [job = job_] { job->write(); };
  co_await to_thread(write);
}

Coro<> OutputFile::close() {
  auto held = co_await lock_;
  if (job_->is_ours && job_->descriptor < 0) co_return;
  job_->bytes += buffer_;
  buffer_.clear();
  auto close = [job = job_] { job->close(); };
  co_await to_thread(close);
}

}  // namespace eddy::crawl

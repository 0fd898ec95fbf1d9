// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/fs.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>

#include "io/file_core.hpp"
#include "io/file_transfer.hpp"
#include "io/folders.hpp"

namespace eddy::fs {
namespace {

std::string pattern_of(const TemporaryOptions& options) {
  const char* set = std::getenv("TMPDIR");
  const std::string_view folder = !options.directory.empty() ? options.directory : set && *set ? std::string_view(set) : "/tmp";
  return fmt::format("{}{}{}XXXXXX{}", folder, folder.ends_with('/') ? "" : "/", options.prefix, options.suffix);
}

Coro<TemporaryDirectory> make_directory(std::string path) {
  using eddy_body [[maybe_unused]] = int;
  detail::check_path("mkdtemp", path);
  TemporaryDirectory directory{std::string()};  // removed also if the wait is cancelled
  auto job = [&] {
    const auto pattern = path;
    if (!::mkdtemp(path.data())) detail::throw_path_error("mkdtemp", pattern);
    directory = TemporaryDirectory(path);
  };
  co_await detail::on_thread(job);
  co_return directory;
}

Coro<TemporaryFile> make_file(std::string path, int suffix) {
  using eddy_body [[maybe_unused]] = int;
  detail::check_path("mkstemp", path);
  std::shared_ptr<detail::FileCore> core;
  auto job = [&] {
    const auto pattern = path;
    detail::UniqueFd fd(::mkostemps(path.data(), suffix, O_CLOEXEC));
    if (!fd) detail::throw_path_error("mkstemp", pattern);
    core = std::make_shared<detail::FileCore>(std::move(fd), path, false);
  };
  // If the wait is cancelled, the file is there all the same, and has to go.
  struct Remove {
    std::shared_ptr<detail::FileCore>& core;
    ~Remove() {
      if (core) ::unlink(core->path.c_str());
    }
  } remove{core};
  co_await detail::on_thread(job);
  co_return TemporaryFile(File(std::exchange(core, nullptr)));
}

}  // namespace

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) remove_tree_here(path_);
}
std::string TemporaryDirectory::operator/(std::string_view name) const { return fmt::format("{}/{}", path_, name); }
Coro<> TemporaryDirectory::remove() {
  if (path_.empty()) co_return;
  co_await remove_tree(path_, {.missing_ok = true});
  path_.clear();  // cancelled before, the destructor removes what is left
}

Coro<TemporaryDirectory> temporary_directory(TemporaryOptions options) {
  auto pattern = pattern_of(options);
  if (!options.suffix.empty()) throw ValueError("temporary_directory: a directory has no suffix; give a prefix");
  return make_directory(std::move(pattern));
}

TemporaryFile& TemporaryFile::operator=(TemporaryFile&& other) noexcept {
  TemporaryFile old(std::move(*this));
  File::operator=(std::move(other));
  kept_ = other.kept_;
  return *this;
}
TemporaryFile::~TemporaryFile() {
  if (has_core() && !kept_) ::unlink(path().c_str());
}
std::string TemporaryFile::keep() {
  kept_ = true;
  return path();
}

Coro<TemporaryFile> temporary_file(TemporaryOptions options) {
  return make_file(pattern_of(options), static_cast<int>(options.suffix.size()));
}

}  // namespace eddy::fs

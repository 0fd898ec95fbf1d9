// SPDX-License-Identifier: MIT
// What is done to names: one job of the pool each.
#include <eddy/fs.hpp>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "io/file_core.hpp"
#include "io/file_transfer.hpp"

namespace eddy {

namespace {

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

fs::Stat detail::stat_of(int fd, const char* path, bool follow, int& error) noexcept {
  struct ::stat status {};
  const int flags = (*path ? 0 : AT_EMPTY_PATH) | (follow ? 0 : AT_SYMLINK_NOFOLLOW);
  error = ::fstatat(fd, path, &status, flags) == 0 ? 0 : errno;
  return {status.st_mode, status.st_uid, status.st_gid, status.st_dev, status.st_ino, status.st_nlink, status.st_size,
          nanoseconds(status.st_atim), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

namespace fs {

using detail::check_path;
using detail::on_thread;
using detail::throw_path_error;

namespace {

// Stat, or the errno.
Coro<int> look_at(std::string path, bool follow, Stat& into) {
  using eddy_body [[maybe_unused]] = int;
  int error = 0;
  auto call = [&] {
    if (path.empty()) error = ENOENT;
    else into = detail::stat_of(AT_FDCWD, path.c_str(), follow, error);
  };
  co_await on_thread(call);
  co_return error;
}

Coro<Stat> stat_path(std::string path, StatOptions options) {
  using eddy_body [[maybe_unused]] = int;
  check_path("stat", path);
  Stat status{};
  const int error = co_await look_at(path, options.follow_symlinks, status);
  if (error) throw_path_error(error, "stat", path);
  co_return status;
}

bool is_there(const std::string& path) {
  struct ::stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void make_directories(const std::string& path, const MkdirOptions& options) {
  if (::mkdir(path.c_str(), options.permissions) == 0) return;
  const int error = errno;
  const auto slash = path.find_last_of('/', path.find_last_not_of('/'));
  if (error == ENOENT && options.parents && slash != path.npos && slash > 0) {
    make_directories(path.substr(0, slash), {.parents = true, .exist_ok = true});
    make_directories(path, {.exist_ok = options.exist_ok, .permissions = options.permissions});
    return;
  }
  if (error == EEXIST && options.exist_ok && is_there(path)) return;
  throw_path_error(error, "mkdir", path);
}

// A job on one name, or on two, of which the first goes into the message.
Coro<> do_to(const char* operation, std::string path, int (*call)(const char*)) {
  using eddy_body [[maybe_unused]] = int;
  check_path(operation, path);
  auto job = [&] {
    if (call(path.c_str()) != 0) throw_path_error(operation, path);
  };
  co_await on_thread(job);
}
Coro<> do_to_both(const char* operation, const char* joint, std::string from, std::string to,
                  int (*call)(const char*, const char*)) {
  using eddy_body [[maybe_unused]] = int;
  check_path(operation, from);
  check_path(operation, to);
  auto job = [&] {
    if (call(from.c_str(), to.c_str()) != 0) throw_path_error(operation, from + "' " + joint + " '" + to);
  };
  co_await on_thread(job);
}

}  // namespace

Coro<Stat> stat(std::string path, StatOptions options) { return stat_path(std::move(path), options); }

Coro<bool> exists(std::string path) {
  Stat status{};
  const int error = co_await look_at(std::move(path), true, status);
  co_return error == 0;
}
Coro<bool> is_file(std::string path) {
  Stat status{};
  const int error = co_await look_at(std::move(path), true, status);
  co_return error == 0 && status.is_file();
}
Coro<bool> is_directory(std::string path) {
  Stat status{};
  const int error = co_await look_at(std::move(path), true, status);
  co_return error == 0 && status.is_directory();
}

Coro<> mkdir(std::string path, MkdirOptions options) {
  using eddy_body [[maybe_unused]] = int;
  check_path("mkdir", path);
  auto job = [&] { make_directories(path, options); };
  co_await on_thread(job);
}

Coro<> remove(std::string path, RemoveOptions options) {
  using eddy_body [[maybe_unused]] = int;
  check_path("remove", path);
  auto job = [&] {
    if (::unlink(path.c_str()) != 0 && !(options.missing_ok && errno == ENOENT)) throw_path_error("remove", path);
  };
  co_await on_thread(job);
}

Coro<> rmdir(std::string path) { return do_to("rmdir", std::move(path), &::rmdir); }
Coro<> rename(std::string from, std::string to) {
  return do_to_both("rename", "to", std::move(from), std::move(to), &::rename);
}
Coro<> symlink(std::string target, std::string link) {
  return do_to_both("symlink", "as", std::move(target), std::move(link), &::symlink);
}

Coro<std::string> readlink(std::string path) {
  using eddy_body [[maybe_unused]] = int;
  check_path("readlink", path);
  std::string target(256, '\0');
  auto job = [&] {
    for (;;) {
      const auto size = ::readlink(path.c_str(), target.data(), target.size());
      if (size < 0) throw_path_error("readlink", path);
      if (static_cast<std::size_t>(size) < target.size()) return target.resize(static_cast<std::size_t>(size));
      target.resize(target.size() * 2);
    }
  };
  co_await on_thread(job);
  co_return target;
}

Coro<> chmod(std::string path, unsigned permissions) {
  using eddy_body [[maybe_unused]] = int;
  check_path("chmod", path);
  auto job = [&] {
    if (::chmod(path.c_str(), permissions) != 0) throw_path_error("chmod", path);
  };
  co_await on_thread(job);
}

}  // namespace fs
}  // namespace eddy

// SPDX-License-Identifier: MIT
// Whole files, each in one job of the pool: a file is opened, moved and closed without a hop in between.
#include <eddy/charset.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/fs.hpp>
#include <eddy/stop_token.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/unique_fd.hpp"
#include "io/file_transfer.hpp"

namespace eddy::fs {

using detail::check_path;
using detail::on_thread;
using detail::throw_path_error;
using detail::UniqueFd;

namespace {

UniqueFd open_now(const std::string& path, int flags, unsigned permissions) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, permissions));
  if (!fd) throw_path_error("open", path);
  return fd;
}

std::string read_now(const std::string& path, std::size_t limit) {
  const auto fd = open_now(path, O_RDONLY, 0);
  struct ::stat status {};
  ::fstat(fd.get(), &status);
  std::string bytes;
  // One more than its size: the read that finds the end is then the same one.
  std::size_t room = status.st_size > 0 ? static_cast<std::size_t>(status.st_size) + 1 : 64 * 1024;
  for (;;) {
    const auto before = bytes.size();
    if (limit != static_cast<std::size_t>(-1)) room = std::min(room, limit + 1 - before);
    bytes.resize(before + room);
    const auto count = ::read(fd.get(), bytes.data() + before, room);
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_path_error("read", path);
    if (count == 0) return bytes;
    if (bytes.size() > limit) {
      throw LimitOverrunError(fmt::format("read '{}': it has more than the limit of {} bytes", path, limit), limit);
    }
    room = std::max<std::size_t>(64 * 1024, bytes.size());
  }
}

void write_now(int fd, std::string_view data, const std::string& path) {
  while (!data.empty()) {
    const auto count = ::write(fd, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_path_error("write", path);
    data.remove_prefix(static_cast<std::size_t>(count));
  }
}

void sync_now(int fd, const std::string& path) {
  if (::fsync(fd) != 0) throw_path_error("fsync", path);
}

void close_now(UniqueFd fd, const std::string& path) {
  if (::close(fd.release()) != 0 && errno != EINTR) throw_path_error("close", path);
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// Removes a file unless it is kept.
struct Draft {
  std::string path;
  bool keep = false;
  ~Draft() {
    if (!keep && !path.empty()) ::unlink(path.c_str());
  }
};

// A new file beside `path`, under a name that nobody else has.
UniqueFd open_beside(const std::string& path, unsigned permissions, std::string& name) {
  for (;;) {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) < 0) throw_path_error("write", path);
    name = fmt::format("{}.{:08x}", path, number & 0xffffffff);
    UniqueFd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions));
    if (fd) return fd;
    if (errno != EEXIST) throw_path_error("write", path);
  }
}

void replace_now(const std::string& path, std::string_view data, const WriteOptions& options) {
  struct ::stat old {};
  const bool is_there = ::stat(path.c_str(), &old) == 0;
  std::string name;
  auto fd = open_beside(path, is_there ? old.st_mode & 0777 : options.permissions, name);
  Draft draft{name};
  if (is_there) ::fchmod(fd.get(), old.st_mode & 07777);  // whatever the umask is
  write_now(fd.get(), data, path);
  if (options.sync) sync_now(fd.get(), path);
  close_now(std::move(fd), path);
  if (::rename(name.c_str(), path.c_str()) != 0) throw_path_error("write", path);
  draft.keep = true;
  if (options.sync) {
    const auto folder = open_now(folder_of(path), O_RDONLY | O_DIRECTORY, 0);
    sync_now(folder.get(), path);
  }
}

// Inside of the kernel if it can, which also shares blocks where the file system does. Some pairs of file systems refuse
// it, and files of /proc have no size to copy.
std::uint64_t copy_now(int from, int to, const std::string& source, const std::string& target, const std::stop_token& stop) {
  constexpr std::size_t kPiece = 8u << 20;
  std::uint64_t total = 0;
  while (!stop.stop_requested()) {
    const auto count = ::copy_file_range(from, nullptr, to, nullptr, kPiece, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    total += static_cast<std::uint64_t>(count);
  }
  std::string block(256 * 1024, '\0');
  while (!stop.stop_requested()) {
    const auto count = ::read(from, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_path_error("read", source);
    if (count == 0) break;
    write_now(to, std::string_view(block).substr(0, static_cast<std::size_t>(count)), target);
    total += static_cast<std::uint64_t>(count);
  }
  return total;
}

std::uint64_t copy_file_now(std::stop_token stop, const std::string& from, const std::string& to, CopyOptions options) {
  const auto source = open_now(from, O_RDONLY, 0);
  struct ::stat status {}, existing {};
  ::fstat(source.get(), &status);
  if (S_ISDIR(status.st_mode)) throw_path_error(EISDIR, "open", from);
  const bool is_there = ::stat(to.c_str(), &existing) == 0;
  if (is_there && existing.st_dev == status.st_dev && existing.st_ino == status.st_ino) {
    throw ValueError(fmt::format("copy '{}' to '{}': they are the same file", from, to));
  }
  auto target = open_now(to, O_WRONLY | O_CREAT | (options.overwrite ? O_TRUNC : O_EXCL), 0666);
  Draft draft{is_there ? std::string() : to};
  const auto size = copy_now(source.get(), target.get(), from, to, stop);
  if (options.permissions && S_ISREG(status.st_mode)) ::fchmod(target.get(), status.st_mode & 07777);
  close_now(std::move(target), to);
  draft.keep = !stop.stop_requested();
  return size;
}

}  // namespace

Coro<std::string> read_bytes(std::string path, std::size_t limit) {
  using eddy_body [[maybe_unused]] = int;
  check_path("open", path);
  std::string bytes;
  auto job = [&] { bytes = read_now(path, limit); };
  co_await on_thread(job);
  co_return bytes;
}

Coro<std::string> read_text(std::string path, std::string encoding) {
  using eddy_body [[maybe_unused]] = int;
  check_path("open", path);
  std::string text;
  auto job = [&] { text = decode(read_now(path, static_cast<std::size_t>(-1)), encoding); };
  co_await on_thread(job);
  co_return text;
}

Coro<> write_bytes(std::string path, std::string data, WriteOptions options) {
  using eddy_body [[maybe_unused]] = int;
  check_path("open", path);
  if (options.atomic && options.append) {
    throw ValueError(fmt::format("write '{}': atomic and append exclude each other", path));
  }
  auto job = [&] {
    if (options.atomic) return replace_now(path, data, options);
    auto fd = open_now(path, O_WRONLY | O_CREAT | (options.append ? O_APPEND : O_TRUNC), options.permissions);
    write_now(fd.get(), data, path);
    if (options.sync) sync_now(fd.get(), path);
    close_now(std::move(fd), path);
  };
  co_await on_thread(job);
}

Coro<std::uint64_t> copyfile(std::string from, std::string to, CopyOptions options) {
  using eddy_body [[maybe_unused]] = int;
  check_path("copy", from);
  check_path("copy", to);
  const auto copied = co_await to_thread(&copy_file_now, std::cref(from), std::cref(to), options);
  co_return copied;
}

}  // namespace eddy::fs

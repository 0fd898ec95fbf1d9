// SPDX-License-Identifier: MIT
#include <eddy/fs.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/file_core.hpp"
#include "io/file_transfer.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr std::size_t kReadAhead = 64 * 1024;
constexpr std::int64_t kAtPosition = -1;

}  // namespace

FileCore::FileCore(UniqueFd descriptor, std::string name, bool appends)
    : fd(std::move(descriptor)), path(std::move(name)), append(appends), seekable_(::lseek(fd.get(), 0, SEEK_CUR) >= 0) {
  if (append && seekable_) position_ = ::lseek(fd.get(), 0, SEEK_END);
}

int FileCore::open_fd(std::string_view operation) const {
  if (!fd) throw ValueError(fmt::format("{} '{}': the file is closed", operation, path));
  return fd.get();
}

FileCore::Turn::Turn(FileCore& file, std::string_view operation) : file_(file) {
  if (file.busy_) {
    throw RuntimeError(fmt::format("{} '{}': another task already reads, writes or seeks there; read_at() and write_at() "
                                   "may run side by side",
                                   operation, file.path));
  }
  file.open_fd(operation);
  file.busy_ = true;
}

void FileCore::forget_ahead() noexcept {
  position_ = position();
  buffer_.clear();
  taken_ = 0;
}

// Reads ahead into an empty buffer. False: the file has ended.
Coro<bool> FileCore::fill() {
  using eddy_body [[maybe_unused]] = int;
  std::string block(kReadAhead, '\0');
  ssize_t count = 0;
  co_await transfer(FileRequest::Kind::read, fd.get(), block.data(), block.size(), seekable_ ? position_ : kAtPosition, count);
  if (count < 0) throw_path_error(static_cast<int>(-count), "read", path);
  block.resize(static_cast<std::size_t>(count));
  buffer_ = std::move(block);
  taken_ = 0;
  position_ += count;
  co_return count > 0;
}

Coro<std::size_t> FileCore::read_some(std::shared_ptr<FileCore> self, std::span<char> into) {
  const Turn turn(*self, "read");
  if (into.empty()) co_return 0;
  if (self->ahead().empty() && into.size() >= kReadAhead) {  // straight to where it belongs
    ssize_t count = 0;
    co_await transfer(FileRequest::Kind::read, self->fd.get(), into.data(), into.size(),
                      self->seekable_ ? self->position_ : kAtPosition, count);
    if (count < 0) throw_path_error(static_cast<int>(-count), "read", self->path);
    self->position_ += count;
    co_return static_cast<std::size_t>(count);
  }
  if (self->ahead().empty()) co_await self->fill();
  const auto bytes = self->ahead().substr(0, into.size());
  std::memcpy(into.data(), bytes.data(), bytes.size());
  self->taken_ += bytes.size();
  co_return bytes.size();
}

Coro<std::string> FileCore::read_all(std::shared_ptr<FileCore> self) {
  const Turn turn(*self, "read");
  // Nothing counts as read before all of it is: a cancelled read starts again here.
  std::string all(self->ahead());
  auto at = self->position_;
  for (std::size_t room = kReadAhead;; room = std::min<std::size_t>(room * 2, 16u << 20)) {
    const auto size = all.size();
    all.resize(size + room);
    ssize_t count = 0;
    co_await transfer(FileRequest::Kind::read, self->fd.get(), all.data() + size, room, self->seekable_ ? at : kAtPosition, count);
    if (count < 0) throw_path_error(static_cast<int>(-count), "read", self->path);
    all.resize(size + static_cast<std::size_t>(count));
    at += count;
    if (count == 0) break;
  }
  self->buffer_.clear();
  self->taken_ = 0;
  self->position_ = at;
  co_return all;
}

Coro<std::string> FileCore::read_line(std::shared_ptr<FileCore> self, std::size_t limit) {
  const Turn turn(*self, "read");
  std::string line;
  // What a cancelled readline() has taken goes back.
  struct PutBack {
    FileCore& file;
    std::string& line;
    bool complete = false;
    ~PutBack() {
      if (complete || line.empty()) return;
      file.buffer_ = line + std::string(file.ahead());
      file.taken_ = 0;
    }
  } put_back{*self, line};
  while (line.size() < limit) {
    if (self->ahead().empty()) {
      const bool more = co_await self->fill();
      if (!more) break;
    }
    auto piece = self->ahead().substr(0, limit - line.size());
    const auto end = piece.find('\n');
    if (end != piece.npos) piece = piece.substr(0, end + 1);
    line += piece;
    self->taken_ += piece.size();
    if (end != piece.npos) break;
  }
  put_back.complete = true;
  co_return line;
}

Coro<> FileCore::write(std::shared_ptr<FileCore> self, std::string data) {
  const Turn turn(*self, "write");
  self->forget_ahead();
  const bool at_end = self->append || !self->seekable_;
  ssize_t count = 0;
  // Also when it was cancelled, it has come as far as it has come.
  struct Advance {
    FileCore& file;
    const ssize_t& count;
    ~Advance() { move(); }
    void move() const noexcept {
      if (count > 0) file.position_ += count;
    }
  };
  for (std::size_t written = 0; written < data.size();) {
    {
      count = 0;
      const Advance advance{*self, count};
      co_await transfer(FileRequest::Kind::write, self->fd.get(), data.data() + written, data.size() - written,
                        at_end ? kAtPosition : self->position_, count);
    }
    if (count < 0) throw_path_error(static_cast<int>(-count), "write", self->path);
    written += static_cast<std::size_t>(count);
  }
  if (self->append && self->seekable_) self->position_ = ::lseek(self->fd.get(), 0, SEEK_CUR);
}

Coro<std::int64_t> FileCore::seek(std::shared_ptr<FileCore> self, std::int64_t offset, fs::Whence whence) {
  const Turn turn(*self, "seek in");
  if (!self->seekable_) throw_path_error(ESPIPE, "seek in", self->path);
  std::int64_t base = 0;
  if (whence == fs::Whence::current) base = self->position();
  if (whence == fs::Whence::end) {
    int error = 0;
    auto call = [&] { base = stat_of(self->fd.get(), "", true, error).size; };
    co_await on_thread(call);
    if (error) throw_path_error(error, "stat", self->path);
  }
  if (base + offset < 0) {
    throw ValueError(fmt::format("seek in '{}': {} is before its beginning", self->path, base + offset));
  }
  self->forget_ahead();
  self->position_ = base + offset;
  co_return self->position_;
}

}  // namespace detail

namespace fs {

using detail::FileCore;
using detail::FileRequest;
using detail::on_thread;
using detail::throw_path_error;

namespace {

int flags_of(std::string_view mode, const std::string& path) {
  const auto has = [mode](char letter) { return std::ranges::count(mode, letter); };
  const auto kinds = has('r') + has('w') + has('x') + has('a');
  if (mode.empty() || kinds != 1 || has('+') > 1 || has('b') + has('t') > 1 || mode.find_first_not_of("rwxa+bt") != mode.npos) {
    throw ValueError(fmt::format("open '{}': mode '{}' is none: one of r, w, x, a, perhaps with + and b", path, mode));
  }
  int flags = has('+') ? O_RDWR : has('r') ? O_RDONLY : O_WRONLY;
  if (has('w')) flags |= O_CREAT | O_TRUNC;
  if (has('x')) flags |= O_CREAT | O_EXCL;
  if (has('a')) flags |= O_CREAT | O_APPEND;
  return flags | O_CLOEXEC;
}

Coro<File> open_with(std::string path, int flags, unsigned permissions) {
  using eddy_body [[maybe_unused]] = int;
  detail::check_path("open", path);
  std::shared_ptr<FileCore> core;
  auto call = [&] {
    detail::UniqueFd fd(::open(path.c_str(), flags, permissions));
    if (!fd) throw_path_error("open", path);
    struct ::stat status {};
    if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) throw_path_error(EISDIR, "open", path);
    core = std::make_shared<FileCore>(std::move(fd), path, (flags & O_APPEND) != 0);
  };
  co_await on_thread(call);
  co_return File(std::move(core));
}

Coro<std::string> read_from(std::shared_ptr<FileCore> core, std::size_t n) {
  using eddy_body [[maybe_unused]] = int;
  // Room grows with what has come: a length that somebody invented costs nothing.
  std::string bytes;
  while (bytes.size() < n) {
    const auto before = bytes.size();
    bytes.resize(before + std::min<std::size_t>(n - before, 1u << 20));
    const std::span<char> room(bytes.data() + before, bytes.size() - before);
    const auto count = co_await FileCore::read_some(core, room);
    bytes.resize(before + count);
    if (count == 0 || bytes.size() < before + room.size()) break;
  }
  co_return bytes;
}

Coro<std::size_t> read_into_at(std::shared_ptr<FileCore> core, std::span<char> into, std::int64_t offset) {
  using eddy_body [[maybe_unused]] = int;
  const int fd = core->open_fd("read");
  if (offset < 0) throw ValueError(fmt::format("read '{}': {} is before its beginning", core->path, offset));
  ssize_t count = 0;
  if (!into.empty()) {
    co_await detail::transfer(FileRequest::Kind::read, fd, into.data(), into.size(), offset, count);
  }
  if (count < 0) throw_path_error(static_cast<int>(-count), "read", core->path);
  co_return static_cast<std::size_t>(count);
}

Coro<std::string> read_text_at(std::shared_ptr<FileCore> core, std::size_t n, std::int64_t offset) {
  using eddy_body [[maybe_unused]] = int;
  std::string bytes;
  while (bytes.size() < n) {
    const auto before = bytes.size();
    bytes.resize(before + std::min<std::size_t>(n - before, 1u << 20));
    const std::span<char> room(bytes.data() + before, bytes.size() - before);
    const auto count = co_await read_into_at(core, room, offset + static_cast<std::int64_t>(before));
    bytes.resize(before + count);
    if (count == 0) break;
  }
  co_return bytes;
}

Coro<> write_all_at(std::shared_ptr<FileCore> core, std::string data, std::int64_t offset) {
  using eddy_body [[maybe_unused]] = int;
  const int fd = core->open_fd("write");
  if (offset < 0) throw ValueError(fmt::format("write '{}': {} is before its beginning", core->path, offset));
  for (std::size_t written = 0; written < data.size();) {
    ssize_t count = 0;
    co_await detail::transfer(FileRequest::Kind::write, fd, data.data() + written, data.size() - written,
                              offset + static_cast<std::int64_t>(written), count);
    if (count < 0) throw_path_error(static_cast<int>(-count), "write", core->path);
    written += static_cast<std::size_t>(count);
  }
}

Coro<std::optional<std::string>> next_line(std::shared_ptr<FileCore> core) {
  std::optional<std::string> line(co_await FileCore::read_line(std::move(core), static_cast<std::size_t>(-1)));
  if (line->empty()) line.reset();
  co_return line;
}

Coro<> truncate_file(std::shared_ptr<FileCore> core, std::int64_t size) {
  const FileCore::Turn turn(*core, "truncate");
  if (size < 0) throw ValueError(fmt::format("truncate '{}': {} is no size", core->path, size));
  auto call = [&] {
    if (::ftruncate(core->fd.get(), size) != 0) throw_path_error("truncate", core->path);
  };
  co_await on_thread(call);
}

Coro<> sync_file(std::shared_ptr<FileCore> core, bool data_only) {
  const int fd = core->open_fd("fsync");
  ssize_t result = 0;
  if (data_only) {
    auto call = [&] { result = ::fdatasync(fd) == 0 ? 0 : -errno; };
    co_await on_thread(call);
  } else {
    co_await detail::transfer(FileRequest::Kind::sync, fd, nullptr, 0, 0, result);
  }
  if (result < 0) throw_path_error(static_cast<int>(-result), "fsync", core->path);
}

Coro<Stat> stat_file(std::shared_ptr<FileCore> core) {
  const int fd = core->open_fd("stat");
  int error = 0;
  Stat status{};
  auto call = [&] { status = detail::stat_of(fd, "", true, error); };
  co_await on_thread(call);
  if (error) throw_path_error(error, "stat", core->path);
  co_return status;
}

Coro<> close_file(std::shared_ptr<FileCore> core) {
  if (!core->fd) co_return;
  std::optional<FileCore::Turn> turn(std::in_place, *core, "close");
  detail::UniqueFd fd = std::move(core->fd);
  int error = 0;
  auto call = [&] {
    if (::close(fd.release()) != 0 && errno != EINTR) error = errno;
  };
  co_await on_thread(call);
  if (error) throw_path_error(error, "close", core->path);
}

}  // namespace

Coro<File> open(std::string path, std::string_view mode, unsigned permissions) {
  const int flags = flags_of(mode, path);
  return open_with(std::move(path), flags, permissions);
}

File::~File() = default;
Coro<std::string> File::read(std::size_t n) { return read_from(core_, n); }
Coro<std::string> File::read() { return FileCore::read_all(core_); }
Coro<std::size_t> File::readinto(std::span<char> into) { return FileCore::read_some(core_, into); }
Coro<std::string> File::readline(std::size_t limit) { return FileCore::read_line(core_, limit); }
Coro<std::optional<std::string>> File::next() { return next_line(core_); }
Coro<std::string> File::read_at(std::size_t n, std::int64_t offset) { return read_text_at(core_, n, offset); }
Coro<std::size_t> File::readinto_at(std::span<char> into, std::int64_t offset) { return read_into_at(core_, into, offset); }
Coro<> File::write(std::string data) { return FileCore::write(core_, std::move(data)); }
Coro<> File::write_at(std::string data, std::int64_t offset) { return write_all_at(core_, std::move(data), offset); }
std::int64_t File::tell() const {
  core_->open_fd("tell in");
  return core_->position();
}
Coro<std::int64_t> File::seek(std::int64_t offset, Whence whence) { return FileCore::seek(core_, offset, whence); }
Coro<> File::truncate(std::int64_t size) { return truncate_file(core_, size); }
Coro<> File::fsync(bool data_only) { return sync_file(core_, data_only); }
Coro<Stat> File::stat() { return stat_file(core_); }
Coro<> File::close() { return close_file(core_); }
bool File::closed() const noexcept { return !core_ || !core_->fd; }
int File::fileno() const noexcept { return core_ ? core_->fd.get() : -1; }
const std::string& File::path() const noexcept { return core_->path; }

}  // namespace fs
}  // namespace eddy

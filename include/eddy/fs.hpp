// SPDX-License-Identifier: MIT
// Files: Python's open(), os and pathlib, awaited. The kernel has no readiness of files, so what may wait for a disk is
// done on the loop's thread pool, or by io_uring where the loop's back end can.
//
// A cancelled operation that has begun is waited for, since the kernel may be using the memory it was given; then
// CancelledError is thrown. So a buffer, a path, a File may go as soon as the await is over, however it ended, and a
// write has happened or not, but is never under way. Only a file system that hangs holds a cancellation up.
//
// Every error is an OSError of errno's family and names operation and path: "open '/no/file': No such file or directory".
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/async_generators.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {
namespace detail {
class FileCore;
}
}  // namespace eddy

namespace eddy::fs {

/// What stat() tells. Times in ns since 1970.
struct Stat {
  std::uint32_t mode;  // as in <sys/stat.h>: type and permissions
  std::uint32_t user, group;
  std::uint64_t device, inode, links;
  std::int64_t size;  // bytes
  std::int64_t accessed, modified, changed;

  bool is_file() const noexcept { return type() == 0100000; }
  bool is_directory() const noexcept { return type() == 0040000; }
  bool is_symlink() const noexcept { return type() == 0120000; }
  std::uint32_t permissions() const noexcept { return mode & 07777; }

 private:
  std::uint32_t type() const noexcept { return mode & 0170000; }
};

enum class Whence { start, current, end };

/// An open file. Made by open(). It has a position that read() and write() move, one of them at a time (RuntimeError);
/// read_at() and write_at() do not, and any number of tasks may call those.
///
/// Reading goes through a buffer of 64 KiB, so lines and small pieces cost one system call for many. Writing has none:
/// each write() is one, all of it or an exception. A cancelled read loses no byte of a file that can seek; after a
/// cancelled write, tell() says how far it came.
class File {
 public:
  explicit File(std::shared_ptr<detail::FileCore> core) noexcept : core_(std::move(core)) {}
  File(File&&) noexcept = default;
  File& operator=(File&&) noexcept = default;
  /// Closes it, on this thread, and tells of no error: close() does.
  ~File();

  /// Up to `n` bytes from where it stands: fewer at the end of the file, and whatever there is of a pipe.
  Coro<std::string> read(std::size_t n);
  /// Everything up to its end.
  Coro<std::string> read();
  /// As read(n), into memory that must stay until the await is over.
  Coro<std::size_t> readinto(std::span<char> into);
  /// Through the next '\n', or what is left, or the first `limit` bytes of a longer line; empty at the end.
  Coro<std::string> readline(std::size_t limit = static_cast<std::size_t>(-1));
  /// The next line, or nothing at the end: `while (auto line = co_await file.next())`.
  Coro<std::optional<std::string>> next();

  Coro<std::string> read_at(std::size_t n, std::int64_t offset);
  Coro<std::size_t> readinto_at(std::span<char> into, std::int64_t offset);

  /// All of `data`, where it stands; at the end, if it was opened for appending.
  Coro<> write(std::string data);
  Coro<> write_at(std::string data, std::int64_t offset);

  /// Where it stands.
  std::int64_t tell() const;
  /// Gives the new place. Throws OSError for a pipe, ValueError for a place before the beginning.
  Coro<std::int64_t> seek(std::int64_t offset, Whence whence = Whence::start);
  /// Cuts it, or fills it up with zeros. Where it stands stays.
  Coro<> truncate(std::int64_t size);
  /// Waits until the disk has what was written. `data_only`: without times and the like, fdatasync.
  Coro<> fsync(bool data_only = false);
  Coro<Stat> stat();

  /// Throws what the system tells at the last: a full disk, a lost server. Closing twice does nothing.
  Coro<> close();
  bool closed() const noexcept;
  /// -1 once it is closed.
  int fileno() const noexcept;
  const std::string& path() const noexcept;

 protected:
  bool has_core() const noexcept { return core_ != nullptr; }

 private:
  std::shared_ptr<detail::FileCore> core_;
};

/// Opens a file. `mode` is Python's: "r" (it must exist), "w" (made or emptied), "x" (made, must not exist), "a" (made,
/// writes go to its end), with "+" to read and write; "b" and "t" say nothing: a file is bytes. `permissions` of one
/// that is made are under the umask.
///
/// Throws FileNotFoundError, FileExistsError, PermissionError and others of OSError; ValueError for another mode.
Coro<File> open(std::string path, std::string_view mode = "r", unsigned permissions = 0666);

// --- whole files ------------------------------------------------------------------------------------------

/// All of a file, in one job of the pool. Throws LimitOverrunError if it has more than `limit` bytes.
Coro<std::string> read_bytes(std::string path, std::size_t limit = static_cast<std::size_t>(-1));
/// The same as UTF-8, decoded from `encoding`. Throws UnicodeDecodeError, UnknownCharsetError: see eddy/charset.hpp.
Coro<std::string> read_text(std::string path, std::string encoding = "utf-8");

struct WriteOptions {
  bool atomic = false;          // whoever reads it meanwhile, or after a crash, sees the old content or the new one
  bool sync = false;            // return when the disk has it; with atomic, its name, too
  bool append = false;          // not with atomic
  unsigned permissions = 0666;  // of a new one, under the umask; an atomic one keeps those of the old one
};
/// Replaces a file's content. `atomic` writes another file beside it and renames that.
Coro<> write_bytes(std::string path, std::string data, WriteOptions options = {});
inline Coro<> write_text(std::string path, std::string text, WriteOptions options = {}) {
  return write_bytes(std::move(path), std::move(text), options);
}

struct CopyOptions {
  bool overwrite = true;     // false: FileExistsError
  bool permissions = true;   // as the source's; else 0666 under the umask
};
/// Copies a file's content, inside of the kernel where it can; gives the number of bytes. Cancelled, it stops early and
/// removes what it had made.
Coro<std::uint64_t> copyfile(std::string from, std::string to, CopyOptions options = {});

// --- names ------------------------------------------------------------------------------------------------

struct StatOptions {
  bool follow_symlinks = true;
};
Coro<Stat> stat(std::string path, StatOptions options = {});
/// False also for what cannot be looked at.
Coro<bool> exists(std::string path);
Coro<bool> is_file(std::string path);
Coro<bool> is_directory(std::string path);

struct MkdirOptions {
  bool parents = false;   // those that are missing, too
  bool exist_ok = false;  // a directory that is there already is no error
  unsigned permissions = 0777;
};
Coro<> mkdir(std::string path, MkdirOptions options = {});
/// A file or a symbolic link.
struct RemoveOptions {
  bool missing_ok = false;
};
Coro<> remove(std::string path, RemoveOptions options = {});
/// An empty directory.
Coro<> rmdir(std::string path);
/// A directory with all that is in it, or a file. Symbolic links are not followed, not even ones that somebody puts there
/// meanwhile. Cancelled, it stops early.
Coro<> remove_tree(std::string path, RemoveOptions options = {});
/// Replaces `to`, at once, if it is there.
Coro<> rename(std::string from, std::string to);
Coro<> symlink(std::string target, std::string link);
Coro<std::string> readlink(std::string path);
Coro<> chmod(std::string path, unsigned permissions);

// --- directories ------------------------------------------------------------------------------------------

enum class EntryType : unsigned char { unknown, file, directory, symlink, other };
struct DirEntry {
  std::string name;
  std::string path;  // the directory's, and the name
  EntryType type;    // of the entry itself: links are not followed; unknown on some file systems
  bool is_directory() const noexcept { return type == EntryType::directory; }
};
/// What is in a directory, in no order, without "." and "..". Some hundred are read at a time.
AsyncGenerator<DirEntry> scandir(std::string path);
/// All of it, sorted by name.
Coro<std::vector<DirEntry>> listdir(std::string path);

/// One directory of a walk. What is taken out of `directories` is not walked into.
struct WalkStep {
  std::string path;
  std::vector<std::string> directories, files;  // names, sorted
};
struct WalkOptions {
  bool top_down = true;
  bool follow_symlinks = false;
  bool skip_errors = false;  // leave out directories that cannot be read; else their OSError is thrown
};
/// A directory and all below it: os.walk(). `while (auto* step = co_await walked.next())`.
AsyncGenerator<WalkStep&> walk(std::string top, WalkOptions options = {});

/// Paths that match, sorted: `*` and `?` and `[a-z]` within a name, `**` for any number of directories. Names with a
/// leading dot match only a pattern with one; links to directories are not followed by `**`.
Coro<std::vector<std::string>> glob(std::string pattern);

// --- temporary --------------------------------------------------------------------------------------------

struct TemporaryOptions {
  std::string_view prefix = "eddy-";
  std::string_view suffix = {};
  std::string_view directory = {};  // empty: TMPDIR, or /tmp
};

/// A directory that is removed, with all that is in it, when this goes: then on this thread; `co_await remove()` does it
/// on the pool, and tells of errors; this must stay until it is over.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(std::string path) noexcept : path_(std::move(path)) {}
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, std::string())) {}
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept {
    path_.swap(other.path_);
    return *this;
  }
  ~TemporaryDirectory();
  const std::string& path() const noexcept { return path_; }
  /// The path of a name in it.
  std::string operator/(std::string_view name) const;
  Coro<> remove();
  /// It stays; gives its path.
  std::string keep() { return std::exchange(path_, std::string()); }

 private:
  std::string path_;  // empty: nothing to remove
};
Coro<TemporaryDirectory> temporary_directory(TemporaryOptions options = {});

/// A new file, "r+", that nobody else has, removed when this goes.
class TemporaryFile : public File {
 public:
  explicit TemporaryFile(File file) noexcept : File(std::move(file)) {}
  TemporaryFile(TemporaryFile&&) noexcept = default;
  TemporaryFile& operator=(TemporaryFile&& other) noexcept;
  ~TemporaryFile();
  /// It stays; gives its path.
  std::string keep();

 private:
  bool kept_ = false;
};
Coro<TemporaryFile> temporary_file(TemporaryOptions options = {});

}  // namespace eddy::fs

// SPDX-License-Identifier: MIT
// Directories: what is in them, and all below them.
#include <dirent.h>
#include <eddy/exceptions.hpp>
#include <eddy/fs.hpp>
#include <eddy/stop_token.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/unique_fd.hpp"
#include "io/file_transfer.hpp"
#include "io/folders.hpp"

namespace eddy::fs {

using detail::check_path;
using detail::on_thread;
using detail::throw_path_error;
using detail::UniqueFd;

namespace {

constexpr std::size_t kBatch = 256;  // entries read in one job

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

EntryType type_of(const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG: return EntryType::file;
    case DT_DIR: return EntryType::directory;
    case DT_LNK: return EntryType::symlink;
    case DT_UNKNOWN: return EntryType::unknown;
    default: return EntryType::other;
  }
}

bool is_dots(const char* name) { return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)); }

std::string join(const std::string& folder, std::string_view name) {
  return folder.ends_with('/') ? fmt::format("{}{}", folder, name) : fmt::format("{}/{}", folder, name);
}

Folder open_folder(const std::string& path) {
  Folder folder(::opendir(path.c_str()));
  if (!folder) throw_path_error("scandir", path);
  return folder;
}

// Up to `most` entries; fewer: that was all.
void read_entries(DIR& folder, const std::string& path, std::size_t most, std::vector<DirEntry>& into) {
  while (into.size() < most) {
    errno = 0;
    const dirent* entry = ::readdir(&folder);
    if (!entry && errno != 0) throw_path_error("scandir", path);
    if (!entry) return;
    if (!is_dots(entry->d_name)) into.push_back({entry->d_name, join(path, entry->d_name), type_of(*entry)});
  }
}

std::vector<DirEntry> list_now(const std::string& path) {
  const auto folder = open_folder(path);
  std::vector<DirEntry> entries;
  read_entries(*folder, path, static_cast<std::size_t>(-1), entries);
  std::ranges::sort(entries, {}, &DirEntry::name);
  return entries;
}

// By descriptors, so that a directory that somebody replaces by a link meanwhile is not followed.
void remove_below(int parent, const char* name, const std::string& path, const std::stop_token* stop) {
  UniqueFd fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    if ((errno == ENOTDIR || errno == ELOOP) && ::unlinkat(parent, name, 0) == 0) return;
    throw_path_error("remove", path);
  }
  const Folder folder(::fdopendir(fd.get()));
  if (!folder) throw_path_error("remove", path);
  const int here = fd.release();  // the folder closes it
  while (!stop || !stop->stop_requested()) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (!entry && errno != 0) throw_path_error("remove", path);
    if (!entry) {
      if (::unlinkat(parent, name, AT_REMOVEDIR) != 0) throw_path_error("remove", path);
      return;
    }
    if (is_dots(entry->d_name)) continue;
    if (entry->d_type != DT_DIR && ::unlinkat(here, entry->d_name, 0) == 0) continue;
    remove_below(here, entry->d_name, join(path, entry->d_name), stop);
  }
}

void remove_tree_now(std::stop_token stop, const std::string& path, RemoveOptions options) {
  try {
    remove_below(AT_FDCWD, path.c_str(), path, &stop);
  } catch (const FileNotFoundError&) {
    if (!options.missing_ok) throw;
  }
}

// One step of a walk in one job. False: it could not be read.
bool look_into(const std::string& path, const WalkOptions& options, WalkStep& step) {
  std::vector<DirEntry> entries;
  try {
    entries = list_now(path);
  } catch (const OSError&) {
    if (options.skip_errors) return false;
    throw;
  }
  for (auto& entry : entries) {
    bool is_folder = entry.type == EntryType::directory;
    if (entry.type == EntryType::unknown || (entry.type == EntryType::symlink && options.follow_symlinks)) {
      struct ::stat status {};
      is_folder = ::fstatat(AT_FDCWD, entry.path.c_str(), &status, options.follow_symlinks ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISDIR(status.st_mode);
    }
    (is_folder ? step.directories : step.files).push_back(std::move(entry.name));
  }
  step.path = path;
  return true;
}

// A place of a walk on its way down and up: an explicit stack, so depth costs no coroutine frames.
struct Level {
  WalkStep step;
  std::size_t next = 0;  // of its directories
};

}  // namespace

void remove_tree_here(const std::string& path) noexcept {
  try {
    remove_below(AT_FDCWD, path.c_str(), path, nullptr);
  } catch (const std::exception&) {
    // A destructor: remove() would have told.
  }
}

AsyncGenerator<DirEntry> scandir(std::string path) {
  check_path("scandir", path);
  Folder folder;
  std::vector<DirEntry> batch;
  auto read = [&] {
    batch.clear();
    if (!folder) folder = open_folder(path);
    read_entries(*folder, path, kBatch, batch);
  };
  for (bool more = true; more;) {
    co_await on_thread(read);
    more = batch.size() == kBatch;
    for (auto& entry : batch) co_yield std::move(entry);
  }
}

Coro<std::vector<DirEntry>> listdir(std::string path) {
  using eddy_body [[maybe_unused]] = int;
  check_path("scandir", path);
  std::vector<DirEntry> entries;
  auto job = [&] { entries = list_now(path); };
  co_await on_thread(job);
  co_return entries;
}

AsyncGenerator<WalkStep&> walk(std::string top, WalkOptions options) {
  check_path("scandir", top);
  std::vector<Level> levels;
  std::string path = std::move(top);
  bool descend = true;
  for (;;) {
    if (descend) {
      Level level;
      bool readable = false;
      auto look = [&] { readable = look_into(path, options, level.step); };
      co_await on_thread(look);
      if (readable) {
        levels.push_back(std::move(level));
        if (options.top_down) co_yield levels.back().step;
      }
    }
    if (levels.empty()) break;
    auto& level = levels.back();
    descend = level.next < level.step.directories.size();
    if (descend) {
      path = join(level.step.path, level.step.directories[level.next++]);
      continue;
    }
    if (!options.top_down) co_yield level.step;
    levels.pop_back();
  }
}

Coro<> remove_tree(std::string path, RemoveOptions options) {
  using eddy_body [[maybe_unused]] = int;
  check_path("remove", path);
  co_await to_thread(&remove_tree_now, std::cref(path), options);
}

}  // namespace eddy::fs

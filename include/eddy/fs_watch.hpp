// SPDX-License-Identifier: MIT
// What happens to files while one looks: inotify, awaited.
#pragma once

#include <cstddef>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace eddy {
namespace detail {
class WatchCore;
}
}  // namespace eddy

namespace eddy::fs {

enum class Change : unsigned char {
  created,
  modified,    // something was written
  written,     // who wrote to it has closed it
  attributes,  // permissions, times, links; only with .attributes
  moved,       // `from` is its name before
  removed,     // or moved to where nobody watches
  overflow,    // the kernel dropped events: look at everything again. Has no path
};
/// "created", "modified", …
std::string_view to_string(Change change) noexcept;

struct WatchEvent {
  Change change;
  std::string path;  // begins with the path that was given to watch()
  std::string from;  // of `moved`
  bool is_directory;
};

struct WatchOptions {
  // Behaviour.
  bool recursive = false;  // directories below, too, also those that come
  bool attributes = false;
  // Limits.
  std::size_t max_directories = 100'000;  // beyond it OSError, ENOSPC; the system has one as well
};

/// The events of a file or a directory, in order: `while (auto event = co_await watcher.next())`.
///
/// A file that is made in a new directory before that is watched is told of all the same, once. Several `modified` of a
/// file in a row are one. It ends, and next() gives nothing, when what was watched is gone: removed, renamed or
/// unmounted, which is told first.
class Watcher {
 public:
  explicit Watcher(std::shared_ptr<detail::WatchCore> core) noexcept : core_(std::move(core)) {}

  /// One task at a time: RuntimeError. Cancelled, it loses no event. Throws OSError when a new directory cannot be
  /// watched; the events go on.
  Coro<std::optional<WatchEvent>> next();
  /// Directories, or the file.
  std::size_t watched() const noexcept;

 private:
  std::shared_ptr<detail::WatchCore> core_;
};

/// Watches from the time when this returns. Throws OSError: "watch '/no/where': No such file or directory".
Coro<Watcher> watch(std::string path, WatchOptions options = {});

}  // namespace eddy::fs

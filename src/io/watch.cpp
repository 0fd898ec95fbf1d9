// SPDX-License-Identifier: MIT
// inotify watches directories, not trees, and by number, not by name. So for a tree we keep a watch on each directory and
// the name of each watch, and have to be quicker than those who make directories, or rather, slow without harm:
//
//   mkdir d        -> created d
//                     watch d, then look what is in it: what was made before the watch is told as created, too
//   touch d/f      -> created d/f: told by the kernel, by our look, or by both
//
// What both tell is dropped once: at the end of a look, the kernel's queue is taken over whole, and in that part of it
// a `created` of something that the look has found is the second.
#include <dirent.h>
#include <eddy/exceptions.hpp>
#include <eddy/fs_watch.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <set>

#include "base/unique_fd.hpp"
#include "io/file_transfer.hpp"
#include "io/readable_wait.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr auto kMovePartnerWait = std::chrono::milliseconds(10);  // for the other half of a move

struct RawEvent {
  int watch;
  std::uint32_t mask;
  std::uint32_t cookie;
  std::string name;
};

std::string join(const std::string& folder, std::string_view name) {
  return folder.ends_with('/') ? fmt::format("{}{}", folder, name) : fmt::format("{}/{}", folder, name);
}

bool is_below(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

class WatchCore {
 public:
  WatchCore(std::string root, fs::WatchOptions options) : root_(std::move(root)), options_(options) {}

  void open();  // on a thread
  static Coro<std::optional<fs::WatchEvent>> next(std::shared_ptr<WatchCore> self);
  std::size_t watched() const noexcept { return paths_.size(); }

 private:
  struct Turn {
    bool& busy;
    ~Turn() { busy = false; }
  };

  std::uint32_t mask() const noexcept {
    return IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
           (options_.attributes ? IN_ATTRIB : 0u);
  }
  bool add_watch(const std::string& path, std::uint32_t flags);
  void scan(const std::string& top, bool tell);
  void scan_next();
  bool take_from_kernel();
  Coro<> wait_for_partner();

  void process();
  bool needs_partner() const noexcept;
  void process_move(RawEvent& from, const std::string& path);
  void came(const std::string& path, bool is_directory);
  void self_gone(int watch);
  void forget(const std::string& path);
  void renamed(const std::string& from, const std::string& to);
  void tell(fs::Change change, std::string path, bool is_directory, std::string from = {});

  const std::string root_;
  const fs::WatchOptions options_;
  UniqueFd fd_;
  std::map<int, std::string> paths_;    // of each watch
  std::map<std::string, int> watches_;  // of each path
  std::deque<RawEvent> raw_;            // taken from the kernel, not looked at
  std::deque<fs::WatchEvent> events_;   // to be told
  std::deque<std::string> to_scan_;
  std::set<std::string> found_;  // by looks, which the kernel may tell of again
  std::size_t doubtful_ = 0;     // as many raw events at the front may be such
  bool partner_waited_ = false;
  bool busy_ = false;
};

bool WatchCore::add_watch(const std::string& path, std::uint32_t flags) {
  if (paths_.size() >= options_.max_directories && !watches_.contains(path)) {
    throw OSError(ENOSPC, fmt::format("watch '{}': more than the limit of {} directories", path, options_.max_directories));
  }
  const int watch = ::inotify_add_watch(fd_.get(), path.c_str(), mask() | flags);
  if (watch < 0) {
    const bool is_root = path == root_;
    if (!is_root && (errno == ENOENT || errno == ENOTDIR)) return false;  // gone again
    if (errno == ENOSPC) throw OSError(ENOSPC, fmt::format("watch '{}': the system's limit of watches, fs.inotify.max_user_watches, is reached", path));
    throw_path_error("watch", path);
  }
  if (const auto known = paths_.find(watch); known != paths_.end()) watches_.erase(known->second);
  paths_[watch] = path;
  watches_[path] = watch;
  return true;
}

void WatchCore::open() {
  fd_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd_) throw_path_error("watch", root_);
  add_watch(root_, 0);
  if (options_.recursive) scan(root_, false);
}

// Watches a directory and all below it. `tell`: they are new, so what is in them is, too.
void WatchCore::scan(const std::string& top, bool tell_of_it) {
  std::vector<std::string> folders{top};
  while (!folders.empty()) {
    const auto folder = std::move(folders.back());
    folders.pop_back();
    if (folder != root_ && !add_watch(folder, IN_ONLYDIR | IN_DONT_FOLLOW)) continue;
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), &::closedir);
    if (!open) continue;
    while (const dirent* entry = ::readdir(open.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      auto path = join(folder, name);
      const bool is_directory = entry->d_type == DT_DIR;
      if (tell_of_it) {
        tell(fs::Change::created, path, is_directory);
        found_.insert(path);
      }
      if (is_directory) folders.push_back(std::move(path));
    }
  }
}

void WatchCore::scan_next() {
  const auto top = to_scan_.front();
  to_scan_.pop_front();
  scan(top, top != root_);
  while (take_from_kernel()) {
  }
  doubtful_ = raw_.size();
}

// False: there is nothing more now.
bool WatchCore::take_from_kernel() {
  alignas(inotify_event) char bytes[16 * 1024];
  const auto size = ::read(fd_.get(), bytes, sizeof bytes);
  if (size < 0 && errno == EINTR) return true;
  if (size < 0 && errno != EAGAIN) throw_path_error("watch", root_);
  for (ssize_t at = 0; at < size;) {
    inotify_event event;
    std::memcpy(&event, bytes + at, sizeof event);
    const char* name = bytes + at + sizeof event;
    raw_.push_back({event.wd, event.mask, event.cookie, std::string(name, ::strnlen(name, event.len))});
    at += static_cast<ssize_t>(sizeof event + event.len);
  }
  return size > 0;
}

// A move's first half at the end of what came: the second follows at once, if it is a move within what is watched.
bool WatchCore::needs_partner() const noexcept {
  if (raw_.empty() || partner_waited_ || !(raw_.front().mask & IN_MOVED_FROM)) return false;
  const auto cookie = raw_.front().cookie;
  return std::none_of(raw_.begin() + 1, raw_.end(), [cookie](const RawEvent& event) { return event.cookie == cookie; });
}

Coro<> WatchCore::wait_for_partner() {
  auto wait = [this]() -> Coro<> {
    using eddy_body [[maybe_unused]] = int;
    co_await ReadableWait(fd_.get(), "the other half of a move");
  };
  bool more = take_from_kernel();
  if (!more) {
    try {
      co_await wait_for(wait(), kMovePartnerWait);
      more = take_from_kernel();
    } catch (const TimeoutError&) {
    }
  }
  partner_waited_ = !more;
}

void WatchCore::tell(fs::Change change, std::string path, bool is_directory, std::string from) {
  if (change == fs::Change::modified && !events_.empty() && events_.back().change == change && events_.back().path == path) return;
  events_.push_back({change, std::move(path), std::move(from), is_directory});
}

// The first raw event into events to be told.
void WatchCore::process() {
  auto event = std::move(raw_.front());
  raw_.pop_front();
  partner_waited_ = false;
  const bool may_be_double = doubtful_ > 0 && doubtful_-- > 0;
  if (event.mask & IN_Q_OVERFLOW) {
    tell(fs::Change::overflow, {}, false);
    if (options_.recursive) to_scan_.push_back(root_);
    return;
  }
  const auto known = paths_.find(event.watch);
  if (known == paths_.end()) return;
  if (event.mask & IN_IGNORED) {
    watches_.erase(known->second);
    paths_.erase(known);
    return;
  }
  if (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) return self_gone(event.watch);
  const bool is_directory = (event.mask & IN_ISDIR) != 0;
  const auto path = event.name.empty() ? known->second : join(known->second, event.name);
  if (event.mask & IN_MOVED_FROM) return process_move(event, path);
  if (event.mask & (IN_CREATE | IN_MOVED_TO)) {
    if (may_be_double && found_.erase(path) > 0) return;
    return came(path, is_directory);
  }
  if (doubtful_ == 0) found_.clear();
  if (event.mask & IN_DELETE) {
    tell(fs::Change::removed, path, is_directory);
    if (is_directory) forget(path);
  }
  if (event.mask & IN_MODIFY) tell(fs::Change::modified, path, is_directory);
  if (event.mask & IN_CLOSE_WRITE) tell(fs::Change::written, path, is_directory);
  if (event.mask & IN_ATTRIB) tell(fs::Change::attributes, path, is_directory);
}

void WatchCore::process_move(RawEvent& from, const std::string& path) {
  const bool is_directory = (from.mask & IN_ISDIR) != 0;
  const auto to = std::find_if(raw_.begin(), raw_.end(), [&](const RawEvent& event) {
    return (event.mask & IN_MOVED_TO) && event.cookie == from.cookie;
  });
  const auto folder = to == raw_.end() ? paths_.end() : paths_.find(to->watch);
  if (folder == paths_.end()) {
    tell(fs::Change::removed, path, is_directory);
    if (is_directory) forget(path);
    return;
  }
  const auto target = join(folder->second, to->name);
  if (static_cast<std::size_t>(to - raw_.begin()) < doubtful_) --doubtful_;
  raw_.erase(to);
  found_.erase(target);
  if (is_directory) renamed(path, target);
  tell(fs::Change::moved, target, is_directory, path);
}

void WatchCore::came(const std::string& path, bool is_directory) {
  tell(fs::Change::created, path, is_directory);
  if (is_directory && options_.recursive) to_scan_.push_back(path);
}

// Of a directory below the root, the one above it tells.
void WatchCore::self_gone(int watch) {
  if (paths_[watch] != root_) return;
  tell(fs::Change::removed, root_, options_.recursive);
  for (const auto& [number, path] : paths_) ::inotify_rm_watch(fd_.get(), number);
  paths_.clear();
  watches_.clear();
  to_scan_.clear();
  raw_.clear();
}

// A directory is no longer where it was, nor is what was in it.
void WatchCore::forget(const std::string& path) {
  for (auto entry = watches_.lower_bound(path); entry != watches_.end() && entry->first.starts_with(path);) {
    if (entry->first != path && !is_below(entry->first, path)) {
      ++entry;
      continue;
    }
    ::inotify_rm_watch(fd_.get(), entry->second);
    paths_.erase(entry->second);
    entry = watches_.erase(entry);
  }
}

void WatchCore::renamed(const std::string& from, const std::string& to) {
  std::vector<std::pair<std::string, int>> below;
  for (const auto& [path, watch] : watches_) {
    if (path == from || is_below(path, from)) below.emplace_back(path, watch);
  }
  for (const auto& [path, watch] : below) watches_.erase(path);
  for (const auto& [path, watch] : below) {
    const auto now = to + path.substr(from.size());
    watches_[now] = watch;
    paths_[watch] = now;
  }
}

Coro<std::optional<fs::WatchEvent>> WatchCore::next(std::shared_ptr<WatchCore> self) {
  auto& core = *self;
  if (core.busy_) throw RuntimeError(fmt::format("watch '{}': another task already waits for its events", core.root_));
  core.busy_ = true;
  const Turn turn{core.busy_};
  // What is under way stands in the core, so a cancelled task leaves it to the next one.
  for (;;) {
    if (!core.events_.empty()) {
      std::optional<fs::WatchEvent> event(std::move(core.events_.front()));
      core.events_.pop_front();
      co_return event;
    }
    if (!core.to_scan_.empty()) {
      auto scan = [&core] { core.scan_next(); };
      co_await on_thread(scan);
    } else if (core.needs_partner()) {
      co_await core.wait_for_partner();
    } else if (!core.raw_.empty()) {
      core.process();
    } else if (core.paths_.empty()) {
      co_return std::nullopt;
    } else if (!core.take_from_kernel()) {
      co_await ReadableWait(core.fd_.get(), "changes of files");
    }
  }
}

}  // namespace detail

namespace fs {

std::string_view to_string(Change change) noexcept {
  switch (change) {
    case Change::created: return "created";
    case Change::modified: return "modified";
    case Change::written: return "written";
    case Change::attributes: return "attributes";
    case Change::moved: return "moved";
    case Change::removed: return "removed";
    case Change::overflow: return "overflow";
  }
  return "unknown";
}

Coro<std::optional<WatchEvent>> Watcher::next() { return detail::WatchCore::next(core_); }
std::size_t Watcher::watched() const noexcept { return core_->watched(); }

Coro<Watcher> watch(std::string path, WatchOptions options) {
  using eddy_body [[maybe_unused]] = int;
  detail::check_path("watch", path);
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  auto core = std::make_shared<detail::WatchCore>(std::move(path), options);
  auto open = [&core] { core->open(); };
  co_await detail::on_thread(open);
  co_return Watcher(std::move(core));
}

}  // namespace fs
}  // namespace eddy

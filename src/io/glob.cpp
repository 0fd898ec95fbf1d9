// SPDX-License-Identifier: MIT
// glob(): a pattern is taken apart at its slashes; each part narrows the paths that the parts before it have found.
#include <dirent.h>
#include <eddy/exceptions.hpp>
#include <eddy/fs.hpp>
#include <eddy/stop_token.hpp>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "io/file_transfer.hpp"

namespace eddy::fs {
namespace {

bool is_pattern(std::string_view part) { return part.find_first_of("*?[") != part.npos; }


bool is_folder(const std::string& path) {
  struct ::stat status {};
  return ::stat(path.empty() ? "." : path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}
bool is_there(const std::string& path) {
  struct ::stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// Names in a directory that cannot be read are none, as in every shell.
template <class F>
void for_each_name(const std::string& folder, F call) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.empty() ? "." : folder.c_str()), &::closedir);
  if (!open) return;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") call(entry->d_name, entry->d_type == DT_LNK);
  }
}

void narrow(const std::string& folder, const std::string& part, bool last, std::vector<std::string>& into) {
  if (!is_pattern(part)) {
    if (last ? is_there(folder + part) : is_folder(folder + part)) into.push_back(folder + part);
    return;
  }
  for_each_name(folder, [&](const char* name, bool) {
    if (::fnmatch(part.c_str(), name, FNM_PERIOD) != 0) return;
    if (last || is_folder(folder + name)) into.push_back(folder + name);
  });
}

// `**`: the directory itself and all below it, but not through links and not into hidden ones.
void descend(const std::string& folder, std::vector<std::string>& into, const std::stop_token& stop) {
  into.push_back(folder);
  std::vector<std::string> below;
  for_each_name(folder, [&](const char* name, bool is_link) {
    if (name[0] != '.' && !is_link && is_folder(folder + name)) below.push_back(folder + name + "/");
  });
  for (const auto& path : below) {
    if (stop.stop_requested()) return;
    descend(path, into, stop);
  }
}

std::vector<std::string> parts_of(std::string_view pattern) {
  std::vector<std::string> parts;
  while (!pattern.empty()) {
    const auto end = std::min(pattern.find('/'), pattern.size());
    if (end > 0) parts.emplace_back(pattern.substr(0, end));
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
  return parts;
}

std::vector<std::string> glob_now(std::stop_token stop, const std::string& pattern) {
  std::vector<std::string> folders{pattern.starts_with('/') ? "/" : ""};
  auto parts = parts_of(pattern);
  if (!parts.empty() && parts.back() == "**") parts.emplace_back("*");  // all below, as in bash's globstar
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < parts.size() && !stop.stop_requested(); ++i) {
    const bool last = i + 1 == parts.size();
    paths.clear();
    for (const auto& folder : folders) {
      if (parts[i] == "**") descend(folder, paths, stop);
      else narrow(folder, parts[i], last && !pattern.ends_with('/'), paths);
    }
    if (last) break;
    folders.clear();
    for (const auto& path : paths) folders.push_back(path.empty() || path.ends_with('/') ? path : path + "/");
  }
  std::ranges::sort(paths);
  paths.erase(std::ranges::unique(paths).begin(), paths.end());
  return paths;
}

}  // namespace

Coro<std::vector<std::string>> glob(std::string pattern) {
  using eddy_body [[maybe_unused]] = int;
  detail::check_path("glob", pattern);
  auto paths = co_await to_thread(&glob_now, std::cref(pattern));
  co_return paths;
}

}  // namespace eddy::fs

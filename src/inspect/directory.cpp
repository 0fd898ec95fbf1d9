// SPDX-License-Identifier: MIT
#include "inspect/directory.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <eddy/exceptions.hpp>
#include <filesystem>

namespace eddy::detail {

std::string inspect_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime && *runtime == '/') return std::string(runtime) + "/eddy";
  return fmt::format("/tmp/eddy-{}", ::geteuid());
}

void secure_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    throw_os_error(errno, fmt::format("make '{}'", directory));
  struct stat status {};
  if (::lstat(directory.c_str(), &status) != 0) throw_os_error(errno, fmt::format("look at '{}'", directory));
  if (S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() && (status.st_mode & 0777) == 0700) return;
  throw RuntimeError(
      fmt::format("'{}' is not safe for sockets: it must be a directory of user {} with mode 0700, and it is "
                  "{} of user {} with mode {:04o}",
                  directory, ::geteuid(), S_ISDIR(status.st_mode) ? "a directory" : "none, but",
                  status.st_uid, status.st_mode & 07777));
}

std::string socket_of(const std::string& directory, int pid) {
  return fmt::format("{}/{}.sock", directory, pid);
}

std::vector<int> sockets_in(const std::string& directory) {
  std::vector<int> pids;
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(directory, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    const auto name = it->path().filename().string();
    int pid = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && std::string_view(rest) == ".sock") pids.push_back(pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

sockaddr_un address_of_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw RuntimeError(
        fmt::format("'{}' has {} bytes: a socket's path has at most {}; set XDG_RUNTIME_DIR to a shorter one",
                    path, path.size(), sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

UniqueFd connect_to_socket(const std::string& path) {
  const auto address = address_of_socket(path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, "make a socket");
  limit_waits(fd.get(), 2000);  // a process that is stopped may have its queue full
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int failure = errno;
  fd.reset();
  errno = failure;
  return fd;
}

bool is_own_peer(int fd, int& pid) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  pid = peer.pid;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

void limit_waits(int fd, long milliseconds) noexcept {
  const timeval limit{milliseconds / 1000, milliseconds % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool send_all(int fd, const std::string& text) noexcept {
  for (std::size_t sent = 0; sent < text.size();) {
    const auto count = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace eddy::detail

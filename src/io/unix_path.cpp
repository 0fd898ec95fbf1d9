// SPDX-License-Identifier: MIT
#include "io/unix_path.hpp"

#include <eddy/exceptions.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace eddy::detail {
namespace {

const sockaddr* pointer_to(const Address& address) noexcept { return static_cast<const sockaddr*>(address.data()); }

std::string path_of(const Address& address) {
  const auto path = address.host();
  return path.empty() || path[0] == '@' ? std::string() : path;
}

UniqueFd unix_socket(const std::string& operation) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, operation);
  return fd;
}

// A socket's file outlives a server that was killed. Who listens is asked by connecting: refused means nobody. (A full
// backlog says EAGAIN, a socket of another type EPROTOTYPE: both are somebody.)
void remove_if_stale(const std::string& path, const Address& address, const std::string& operation) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const auto probe = unix_socket(operation);
  if (::connect(probe.get(), pointer_to(address), address.size()) == 0 || errno != ECONNREFUSED) return;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_os_error(errno, "remove the stale socket " + path);
}

}  // namespace

UniqueFd listen_on_path(const Address& address, int backlog, int mode) {
  const auto operation = "listen on " + address.str();
  const auto path = path_of(address);
  UniqueFd fd = unix_socket(operation);
  if (!path.empty()) remove_if_stale(path, address, operation);
  if (::bind(fd.get(), pointer_to(address), address.size()) != 0) throw_os_error(errno, operation);
  SocketFile file(address);
  // Until listen() every connection is refused, so nobody comes in by the permissions of the umask.
  const bool failed = (mode >= 0 && !path.empty() && ::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) ||
                      ::listen(fd.get(), backlog) != 0;
  if (failed) {
    const int failure = errno;
    file.remove();
    throw_os_error(failure, operation);
  }
  return fd;
}

SocketFile::SocketFile(const Address& address) noexcept : path_(path_of(address)) {
  struct stat status {};
  if (path_.empty() || ::stat(path_.c_str(), &status) != 0) {
    path_.clear();
    return;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

void SocketFile::remove() noexcept {
  const auto path = std::exchange(path_, {});
  struct stat status {};
  if (path.empty() || ::lstat(path.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path.c_str());
}

}  // namespace eddy::detail

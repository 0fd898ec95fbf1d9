// SPDX-License-Identifier: MIT
// create_server(): a protocol for each connection.
#include <eddy/exceptions.hpp>
#include <eddy/transports.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "io/resolve.hpp"
#include "io/server_core.hpp"
#include "io/sockets.hpp"
#include "io/transport_core.hpp"

namespace eddy::detail {
namespace {

// What a server that was killed has left: a path that can be neither bound nor connected to.
void remove_stale_socket(const Address& address, const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), static_cast<const sockaddr*>(address.data()), address.size()) != 0 && errno == ECONNREFUSED) {
    ::unlink(path.c_str());
  }
}

// The file of a listening Unix socket: goes with its server, unless somebody else's has taken its place by then.
class SocketFile {
 public:
  explicit SocketFile(std::string path) : path_(std::move(path)) {
    struct stat status{};
    if (::stat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
  }
  SocketFile(const SocketFile&) = delete;
  ~SocketFile() {
    struct stat status{};
    if (inode_ && ::stat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
  ino_t inode_ = 0;
};

class ProtocolServer final : public ServerCore, private TransportOwner {
 public:
  ProtocolServer(Loop& loop, FactoryPtr factory, const ServerOptions& options)
      : ServerCore(loop, options), factory_(std::move(factory)) {}

  /// Throws OSError: another server has the path.
  void listen_at(const std::string& path) {
    const std::vector<Address> address{unix_address(path)};
    if (path.front() != '@') remove_stale_socket(address.front(), path);
    listen(address);
    if (path.front() != '@') file_.emplace(path);
  }

  std::size_t connections() const noexcept override { return count_; }
  void close_clients() override {
    for (auto* node = transports_.front(); node != transports_.end(); node = node->next) transport_at(*node).close();
  }

 private:
  static TransportCore& transport_at(ListNode& node) noexcept {
    return *static_cast<TransportCore::OwnerEntry&>(node).transport;
  }

  void serve(int fd) override {
    UniqueFd owned(fd);
    set_nodelay(fd);
    const ContextEntry registered(context_);
    auto protocol = factory_->make();
    auto transport = open_transport(loop_, std::move(protocol), owned.release(), TransportKind::socket, this, {});
    transports_.push_back(transport.core().owner_entry);
    if (count_++ == 0) busy_ = shared_from_this();
  }

  void stopped_listening() noexcept override { file_.reset(); }

  void transport_gone(TransportCore& transport) noexcept override {
    transport.owner_entry.unlink();
    const auto keep = --count_ == 0 ? std::move(busy_) : nullptr;
    connection_ended();
  }

  FactoryPtr factory_;
  std::optional<SocketFile> file_;
  List transports_;
  std::size_t count_ = 0;
  std::shared_ptr<ServerCore> busy_;  // this, while it has connections
};

}  // namespace

Coro<Server> create_server(FactoryPtr factory, std::string host, int port, ServerOptions options) {
  check_port("listen on " + host, port);
  auto addresses = co_await resolve(host, port, true);
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options);
  core->listen(addresses);
  co_return Server(std::move(core));
}

Coro<Server> create_unix_server(FactoryPtr factory, std::string path, ServerOptions options) {
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options);
  core->listen_at(path);
  co_return Server(std::move(core));
}

}  // namespace eddy::detail

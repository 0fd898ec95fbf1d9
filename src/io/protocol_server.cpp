// SPDX-License-Identifier: MIT
// create_server(): a protocol for each connection.
#include <eddy/exceptions.hpp>
#include <eddy/transports.hpp>

#include <string>
#include <vector>

#include "io/resolve.hpp"
#include "io/server_core.hpp"
#include "io/sockets.hpp"
#include "io/tls_streams.hpp"
#include "io/transport_core.hpp"

namespace eddy::detail {
namespace {

class ProtocolServer final : public ServerCore, private TransportOwner {
 public:
  ProtocolServer(Loop& loop, FactoryPtr factory, const ServerOptions& options, TlsStart tls)
      : ServerCore(loop, options), factory_(std::move(factory)), tls_(std::move(tls)) {}

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
    if (!is_unix()) set_nodelay(fd);
    const ContextEntry registered(context_);
    auto protocol = factory_->make();
    auto transport = open_transport(loop_, std::move(protocol), owned.release(), TransportKind::socket, this, {},
                                    tls_.context ? &tls_ : nullptr);
    transports_.push_back(transport.core().owner_entry);
    if (count_++ == 0) busy_ = shared_from_this();
  }

  void transport_gone(TransportCore& transport) noexcept override {
    transport.owner_entry.unlink();
    const auto keep = --count_ == 0 ? std::move(busy_) : nullptr;
    connection_ended();
  }

  FactoryPtr factory_;
  TlsStart tls_;  // without a context: plain
  List transports_;
  std::size_t count_ = 0;
  std::shared_ptr<ServerCore> busy_;  // this, while it has connections
};

}  // namespace

namespace {

Coro<Server> listen(FactoryPtr factory, std::string host, int port, ServerOptions options, TlsStart tls) {
  check_port("listen on " + host, port);
  auto addresses = co_await resolve(host, port, true);
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options, std::move(tls));
  core->listen(addresses);
  co_return Server(std::move(core));
}

}  // namespace

Coro<Server> create_server(FactoryPtr factory, std::string host, int port, ServerOptions options) {
  TlsStart tls;
  if (options.tls) {  // it points to somebody's who may be gone when this runs
    check_tls_side(*options.tls, true, "create_server");
    tls = {options.tls->shared_core(), {}, options.tls_handshake_timeout, options.tls_shutdown_timeout};
  }
  return listen(std::move(factory), std::move(host), port, options, std::move(tls));
}

Coro<Server> create_unix_server(FactoryPtr factory, std::string path, ServerOptions options) {
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options, TlsStart());
  core->listen_unix(Address::from_path(path), -1, true);
  co_return Server(std::move(core));
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// create_server(): a protocol for each connection.
#include <eddy/exceptions.hpp>
#include <eddy/transports.hpp>

#include <string>
#include <vector>

#include "io/given_sockets.hpp"
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

  void close_clients() override {
    for_each([](TransportCore& transport) { transport.close(); });
  }
  void abort_clients() override {
    for_each([](TransportCore& transport) { transport.abort(nullptr); });
  }
  void cut_off() override { abort_clients(); }

 private:
  template <class F>
  void for_each(F function) {
    for (auto* node = transports_.front(); node != transports_.end();) {
      auto& transport = *static_cast<TransportCore::OwnerEntry&>(*node).transport;
      node = node->next;
      function(transport);
    }
  }

  void sweep() noexcept override {
    for_each([this](TransportCore& transport) {
      if (!expired(transport.owner_entry, transport.take_moved())) return;
      transport.abort(std::make_exception_ptr(IdleTimeout(transport.describe(), options_.idle_timeout)));
    });
  }

  void serve(int fd, PeerCounts::Entry* peer) override {
    UniqueFd owned(fd);
    const ContextEntry registered(context_);
    auto protocol = factory_->make();
    auto transport = open_transport(loop_, std::move(protocol), owned.release(), TransportKind::socket, this, {},
                                    tls_.context ? &tls_ : nullptr);
    enter(transports_, transport.core().owner_entry, peer);
  }

  void transport_gone(TransportCore& transport) noexcept override {
    leave(transport.owner_entry);
  }

  FactoryPtr factory_;
  TlsStart tls_;  // without a context: plain
  List transports_;
};

}  // namespace

namespace {

Coro<Server> listen(FactoryPtr factory, std::string host, int port, ServerOptions options, TlsStart tls) {
  check_port("listen on " + host, port);
  auto addresses = co_await resolve_passive(host, port);
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options, std::move(tls));
  core->listen(addresses);
  co_return Server(std::move(core));
}

Coro<Server> listen_given(FactoryPtr factory, UniqueFd fd, ServerOptions options, TlsStart tls) {
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options, std::move(tls));
  core->listen_given(std::move(fd));
  co_return Server(std::move(core));
}

// The options point to somebody's context, who may be gone when the coroutine runs.
TlsStart tls_of(const ServerOptions& options, const char* operation) {
  if (!options.tls) return {};
  check_tls_side(*options.tls, true, operation);
  return {options.tls->shared_core(), {}, options.tls_handshake_timeout, options.tls_shutdown_timeout};
}

}  // namespace

Coro<Server> create_server(FactoryPtr factory, std::string host, int port, ServerOptions options) {
  return listen(std::move(factory), std::move(host), port, options, tls_of(options, "create_server"));
}

Coro<Server> create_server(FactoryPtr factory, Socket&& socket, ServerOptions options) {
  auto fd = take_listening(std::move(socket), options.backlog, "create_server");
  auto tls = tls_of(options, "create_server");
  return listen_given(std::move(factory), std::move(fd), options, std::move(tls));
}

Coro<Server> create_unix_server(FactoryPtr factory, std::string path, ServerOptions options) {
  auto core = std::make_shared<ProtocolServer>(Loop::running(), std::move(factory), options, TlsStart());
  core->listen_unix(Address::from_path(path), -1, true);
  co_return Server(std::move(core));
}

}  // namespace eddy::detail

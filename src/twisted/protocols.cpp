// SPDX-License-Identifier: MIT
#include <eddy/twisted/protocols.hpp>

namespace eddy::twisted {

void Protocol::make_connection(Transport& transport) {
  transport_ = &transport;
  connection_made();
}

void Protocol::lose_connection() {
  disconnecting_ = true;
  if (transport_) transport_->close();
}

namespace {

// One of Twisted's protocols under one of eddy's transports.
class Bridge final : public eddy::Protocol {
 public:
  explicit Bridge(std::shared_ptr<Factory> factory, std::shared_ptr<void> use = nullptr)
      : factory_(std::move(factory)), use_(std::move(use)) {}

  void connection_made(Transport& transport) override {
    protocol_ = factory_->build_protocol(transport.peer_address());
    if (!protocol_) return transport.close();
    if (!protocol_->factory()) protocol_->set_factory(factory_.get());
    protocol_->make_connection(transport);
  }
  void data_received(std::string_view data) override {
    if (protocol_) protocol_->data_received(data);
  }
  void connection_lost(std::exception_ptr error) override {
    const auto reason = error ? Failure(std::move(error)) : Failure(ConnectionDone());
    if (protocol_) protocol_->connection_lost(reason);
    if (auto* client = dynamic_cast<ClientFactory*>(factory_.get())) client->client_connection_lost(reason);
    use_.reset();
  }

  twisted::Protocol* protocol() const noexcept { return protocol_.get(); }

 private:
  std::shared_ptr<Factory> factory_;
  std::shared_ptr<void> use_;  // a client's, until its connection is lost
  std::unique_ptr<twisted::Protocol> protocol_;
};

// Counts a use of a factory.
class Use {
 public:
  explicit Use(std::shared_ptr<Factory> factory) : factory_(std::move(factory)) { factory_->do_start(); }
  Use(const Use&) = delete;
  ~Use() { factory_->do_stop(); }
  const std::shared_ptr<Factory>& factory() const noexcept { return factory_; }

 private:
  std::shared_ptr<Factory> factory_;
};

}  // namespace

std::unique_ptr<eddy::Protocol> adapt(std::shared_ptr<Factory> factory) {
  return std::make_unique<Bridge>(std::move(factory));
}

Coro<Server> listen_tcp(std::shared_ptr<Factory> factory, std::string interface, int port) {
  auto use = std::make_shared<Use>(std::move(factory));
  auto make = [use] { return std::make_unique<Bridge>(use->factory()); };
  auto server = co_await get_running_loop().create_server(make, std::move(interface), port);
  co_return server;
}

Coro<Protocol*> connect_tcp(std::shared_ptr<Factory> factory, std::string host, int port) {
  auto use = std::make_shared<Use>(factory);
  auto* client = dynamic_cast<ClientFactory*>(factory.get());
  if (client) client->started_connecting();
  std::exception_ptr failure;
  Protocol* protocol = nullptr;
  try {
    auto make = [use] { return std::make_unique<Bridge>(use->factory(), use); };
    auto connecting = get_running_loop().create_connection(make, std::move(host), port);
    auto connection = co_await std::move(connecting);
    protocol = connection.protocol->protocol();
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  if (failure) {
    if (client) client->client_connection_failed(Failure(failure));
    std::rethrow_exception(failure);
  }
  co_return protocol;
}

}  // namespace eddy::twisted

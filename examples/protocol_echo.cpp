// SPDX-License-Identifier: MIT
// asyncio's protocols: a server that answers every piece with itself, and a client.
//
//     $ ./protocol_echo
//     server: connection from 127.0.0.1
//     server: 'Hello, protocols!'
//     client: 'Hello, protocols!'
//     client: the server closed the connection
//
//     $ ./protocol_echo 8888          serves on port 8888 until Ctrl-C

#include <eddy/eddy.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

using eddy::Coro;

class EchoServer : public eddy::Protocol {
 public:
  explicit EchoServer(bool tells) : tells_(tells) {}
  void connection_made(eddy::Transport& transport) override {
    transport_ = &transport;
    if (tells_) std::printf("server: connection from %s\n", transport.peer_address().host().c_str());
  }
  void data_received(std::string_view data) override {
    if (tells_) std::printf("server: '%.*s'\n", static_cast<int>(data.size()), data.data());
    transport_->write(data);
  }
  // A client that does not read is not read from either.
  void pause_writing() override { transport_->pause_reading(); }
  void resume_writing() override { transport_->resume_reading(); }

 private:
  eddy::Transport* transport_ = nullptr;
  bool tells_;
};

class EchoClient : public eddy::Protocol {
 public:
  explicit EchoClient(eddy::Future<> done) : done_(std::move(done)) {}
  void connection_made(eddy::Transport& transport) override {
    transport.write("Hello, protocols!");
    transport.write_eof();
  }
  void data_received(std::string_view data) override {
    std::printf("client: '%.*s'\n", static_cast<int>(data.size()), data.data());
  }
  void connection_lost(std::exception_ptr error) override {
    std::puts(error ? "client: the connection broke" : "client: the server closed the connection");
    done_.set_result();
  }

 private:
  eddy::Future<> done_;
};

Coro<> ask() {
  auto& loop = eddy::get_running_loop();
  auto server = co_await loop.create_server([] { return std::make_unique<EchoServer>(true); }, "127.0.0.1", 0);
  auto done = loop.create_future<>();
  auto client = [&] { return std::make_unique<EchoClient>(done); };
  co_await loop.create_connection(client, "127.0.0.1", server.port());
  co_await done;
}

Coro<> serve(int port) {
  auto& loop = eddy::get_running_loop();
  auto server = co_await loop.create_server([] { return std::make_unique<EchoServer>(false); }, "127.0.0.1", port);
  std::printf("listening on %s\n", server.address().str().c_str());
  std::fflush(stdout);
  co_await server.serve_forever();
}

int main(int argc, char** argv) {
  try {
    if (argc == 2) eddy::run(serve(std::atoi(argv[1])));
    else eddy::run(ask());
  } catch (const eddy::KeyboardInterrupt&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "protocol_echo: %s\n", error.what());
    return 1;
  }
}

// SPDX-License-Identifier: MIT
// Table 1i: Twisted. Events, protocols, the reactor, Deferred.
#include <eddy/twisted.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "seed.hpp"

using eddy::twisted::Deferred;
using eddy::twisted::Factory;
using eddy::twisted::Failure;

namespace {

// A framework of one's own: handlers are registered, then run() triggers them.
class BaseHandler {
 public:
  virtual ~BaseHandler() = default;
  virtual void execute() { throw eddy::RuntimeError("you must overwrite execute"); }
};

std::vector<std::function<std::unique_ptr<BaseHandler>()>> event_list;

void run_events() {
  for (auto& event : event_list) event()->execute();
}

class MyHandler : public BaseHandler {
 public:
  void execute() override { print("event-drive execute MyHandler"); }
};
class Forgetful : public BaseHandler {};

}  // namespace

PLAIN_SEED("TWI-01", "event-driven: register, then trigger", 0_s, "event-drive execute MyHandler\nyou must overwrite execute") {
  event_list = {[] { return std::make_unique<MyHandler>(); }};
  run_events();
  event_list = {[] { return std::make_unique<Forgetful>(); }};
  print(seed::thrown_by<eddy::RuntimeError>(run_events));
}

namespace {

class Told : public eddy::twisted::Protocol {
 public:
  void make_connection(eddy::Transport& transport) override {
    print("makeConnection");
    Protocol::make_connection(transport);
    print("transport set", this->transport() == &transport);
  }
  void connection_made() override { print("connectionMade"); }
  void data_received(std::string_view data) override { print("dataReceived", data); }
  void connection_lost(const Failure& reason) override { print("connectionLost:", reason.message()); }
};

}  // namespace

SEED("TWI-02", "a protocol's calls, in their order", 2_s,
     "makeConnection\nconnectionMade\ntransport set True\ndataReceived one\ndataReceived two\n"
     "connectionLost: the connection was closed cleanly") {
  auto factory = Factory::for_protocol<Told>();
  auto make = [&] { return eddy::twisted::adapt(factory); };
  auto pair = co_await eddy::testing::connect_protocol(make);
  pair.peer.writer.write("one");
  co_await eddy::sleep(1_s);
  pair.peer.writer.write("two");
  pair.peer.writer.close();
  co_await eddy::sleep(1_s);
}

namespace {

class Echo : public eddy::twisted::Protocol {
 public:
  void data_received(std::string_view data) override { transport()->write(data); }
};
class Asker : public eddy::twisted::Protocol {
 public:
  explicit Asker(eddy::twisted::Reactor* reactor) : reactor_(reactor) {}
  void connection_made() override { transport()->write("hello"); }
  void data_received(std::string_view data) override {
    print("echoed", data);
    lose_connection();
  }
  void connection_lost(const Failure&) override { reactor_->stop(); }

 private:
  eddy::twisted::Reactor* reactor_;
};

}  // namespace

PLAIN_THREAD_SEED("TWI-03", "the reactor: timers, threads, servers, clients", any_time,
                  "running\nlater\nfrom a thread\nechoed hello\nstopped") {
  eddy::twisted::Reactor reactor(seed::loop_options());
  reactor.call_when_running([&] {
    print("running");
    eddy::twisted::defer_to_thread([&] { reactor.call_from_thread([] { print("from a thread"); }); })
        .add_callback([&] { return reactor.listen_tcp(0, Factory::for_protocol<Echo>(), "127.0.0.1"); })
        .add_callback([&](const eddy::Server& server) {
          return reactor.connect_tcp("127.0.0.1", server.port(), Factory::for_protocol<Asker>(&reactor));
        });
    print("later");
  });
  reactor.run();
  print("stopped");
}

PLAIN_SEED("TWI-04", "Deferred: the chain of callbacks", 0_s,
           "got 1\nerrback: odd\ngot recovered\npaused\nafter the inner one: 5\ncalled twice: AlreadyCalledError\ncancelled") {
  Deferred d;
  d.add_callback([](int n) {
     print("got", n);
     if (n % 2) throw std::runtime_error("odd");
   })
      .add_callback([] { print("skipped"); })
      .add_errback([](Failure failure) {
        print("errback:", failure.message());
        return std::string("recovered");
      })
      .add_callback([](const std::string& text) { print("got", text); });
  d.callback(1);

  Deferred outer, inner;
  outer.add_callback([&] { return inner; }).add_callback([](int n) { print("after the inner one:", n); });
  outer.callback();
  print("paused");
  inner.callback(5);

  const auto twice = seed::thrown_by<eddy::twisted::AlreadyCalledError>([&] { d.callback(2); });
  print("called twice:", twice.empty() ? "nothing" : "AlreadyCalledError");

  Deferred never;
  never.add_errback([](Failure failure) {
    failure.trap<eddy::twisted::CancelledError>();
    print("cancelled");
  });
  never.cancel();
}

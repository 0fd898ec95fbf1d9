// SPDX-License-Identifier: MIT
// Transports and protocols over the kernel's sockets and pipes, on each back end.
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using eddy::testing::Log;

// Protocols may outlive the test's body, until its loop is closed: what they write to stays.
Log& fresh_log() {
  static std::deque<Log> logs;
  return logs.emplace_back();
}

std::string name_of(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

// Logs each call; subclasses do more.
struct Recorder : eddy::Protocol {
  Recorder(Log& to, std::string called) : log(to), name(std::move(called)) {}
  void connection_made(eddy::Transport& t) override {
    transport = &t;
    log(name, "made");
  }
  void data_received(std::string_view data) override { log(name, "data", data); }
  bool eof_received() override {
    log(name, "eof");
    return keep_open;
  }
  void connection_lost(std::exception_ptr error) override {
    log(name, "lost", name_of(error));
    transport = nullptr;
    gone.set();
  }
  void pause_writing() override { log(name, "pause"); }
  void resume_writing() override { log(name, "resume"); }

  Log& log;
  std::string name;
  eddy::Transport* transport = nullptr;
  bool keep_open = false;
  eddy::Event gone;
};

auto make_recorder(Log& log, std::string name) {
  return [&log, name] { return std::make_unique<Recorder>(log, name); };
}

// A server that hands its last protocol out.
struct Listener {
  eddy::Server server;
  std::shared_ptr<std::vector<Recorder*>> protocols;
};
Coro<Listener> listen(Log& log) {
  auto protocols = std::make_shared<std::vector<Recorder*>>();
  auto factory = [&log, protocols] {
    auto protocol = std::make_unique<Recorder>(log, "server");
    protocols->push_back(protocol.get());
    return protocol;
  };
  auto server = co_await eddy::get_running_loop().create_server(factory, "127.0.0.1", 0);
  co_return Listener{std::move(server), std::move(protocols)};
}

}  // namespace

BACKEND_TEST(Transports, PR_1_ConnectionMadeThenDataThenEofThenConnectionLost) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  Log& server_log = fresh_log();
  auto listener = co_await listen(server_log);
  auto factory = make_recorder(log, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  log("connected");
  transport->write("hello");
  transport->write_eof();
  co_await protocol->gone.wait();
  EXPECT_EQ(log, "client made, connected, client eof, client lost none");
  EXPECT_EQ(server_log, "server made, server data hello, server eof, server lost none");
  listener.server.close();
  co_await listener.server.wait_closed();
}

BACKEND_TEST(Transports, PR_2_TrueFromEofReceivedKeepsTheTransportOpenForWriting) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  struct Answer : Recorder {
    using Recorder::Recorder;
    bool eof_received() override {
      log("eof");
      transport->write("late answer");
      eddy::get_running_loop().call_soon([this] { transport->close(); });
      return true;
    }
  };
  Log& server_log = fresh_log();
  auto server_factory = [&] { return std::make_unique<Answer>(server_log, "server"); };
  auto server = co_await loop.create_server(server_factory, "127.0.0.1", 0);
  auto factory = make_recorder(log, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", server.port());
  transport->write_eof();
  co_await protocol->gone.wait();
  EXPECT_EQ(log, "client made, client data late answer, client eof, client lost none");
  EXPECT_EQ(server_log, "server made, eof, server lost none");
}

BACKEND_TEST(Transports, TR_1_CloseSendsWhatWasWrittenAndAbortDoesNot) {
  auto& loop = eddy::get_running_loop();
  const std::string big(4'000'000, 'x');
  for (const bool abort : {false, true}) {
    auto received = loop.create_future<std::size_t>();
    auto count = [&received](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
      std::size_t total = 0;
      try {
        for (;;) {
          auto bytes = co_await reader.read_view();
          if (bytes.empty()) break;
          total += bytes.size();
        }
      } catch (const eddy::ConnectionError&) {
      }
      static_cast<void>(writer);
      received.set_result(total);
    };
    auto server = co_await eddy::start_server(count, "127.0.0.1", 0);
    Log& log = fresh_log();
    auto factory = make_recorder(log, "client");
    auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", server.port());
    transport->write(big);
    EXPECT_GT(transport->get_write_buffer_size(), 0u);
    if (abort) transport->abort();
    else transport->close();
    EXPECT_TRUE(transport->is_closing());
    EXPECT_FALSE(transport->is_reading());
    co_await protocol->gone.wait();
    const auto total = co_await received;
    if (abort) EXPECT_LT(total, big.size());
    else EXPECT_EQ(total, big.size());
    EXPECT_EQ(log, abort ? "client made, client pause, client lost none"
                         : "client made, client pause, client resume, client lost none");
    EXPECT_EQ(transport->fileno(), -1);
  }
}

BACKEND_TEST(Transports, TR_3_AWriterIsPausedAboveTheHighMarkAndGoesOnAtTheLowOne) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  Log& server_log = fresh_log();
  auto listener = co_await listen(server_log);
  struct Slow : Recorder {
    using Recorder::Recorder;
    void resume_writing() override {
      log("resume", transport->get_write_buffer_size() <= 1000 ? "low" : "high");
      resumed.set();
    }
    eddy::Event resumed;
  };
  auto factory = [&] { return std::make_unique<Slow>(log, "client"); };
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  transport->set_write_buffer_limits({.low = 1000, .high = 2000});
  EXPECT_EQ(transport->get_write_buffer_limits().high, 2000u);
  while (listener.protocols->empty() || !listener.protocols->front()->transport) co_await eddy::sleep(1ms);
  listener.protocols->front()->transport->pause_reading();
  const std::string piece(100'000, 'x');
  while (transport->get_write_buffer_size() <= 2000) transport->write(piece);
  EXPECT_EQ(log, "client made, client pause");
  listener.protocols->front()->transport->resume_reading();
  co_await protocol->resumed.wait();
  EXPECT_EQ(log, "client made, client pause, resume low");
  transport->close();
  co_await protocol->gone.wait();
}

BACKEND_TEST(Transports, WriteLimitsWithTheHighMarkBelowTheLowOneAreRefused) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  auto listener = co_await listen(log);
  Log& other = fresh_log();
  auto factory = make_recorder(other, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  auto& open = *transport;
  EXPECT_EQ(TEXT_OF(eddy::ValueError, open.set_write_buffer_limits({.low = 2, .high = 1})),
            "write limits: high is 1 and low is 2: high must not be below low");
  open.write_eof();
  const auto peer = open.peer_address().str();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, open.write("x")), "write to " + peer + " after write_eof()");
}

BACKEND_TEST(Transports, TR_2_NothingIsReceivedWhileReadingIsPaused) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  Log& server_log = fresh_log();
  auto listener = co_await listen(server_log);
  auto factory = make_recorder(log, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  while (listener.protocols->empty() || !listener.protocols->front()->transport) co_await eddy::sleep(1ms);
  transport->pause_reading();
  transport->pause_reading();
  EXPECT_FALSE(transport->is_reading());
  listener.protocols->front()->transport->write("one");
  co_await eddy::sleep(20ms);
  EXPECT_EQ(log, "client made");
  transport->resume_reading();
  EXPECT_TRUE(transport->is_reading());
  while (log == "client made") co_await eddy::sleep(1ms);
  EXPECT_EQ(log, "client made, client data one");
  transport->close();
  co_await protocol->gone.wait();
}

BACKEND_TEST(Transports, ATransportKnowsItsAddressesUntilConnectionLostHasReturned) {
  auto& loop = eddy::get_running_loop();
  struct Named : Recorder {
    using Recorder::Recorder;
    void connection_lost(std::exception_ptr error) override {
      EXPECT_EQ(transport->peer_address().host(), "127.0.0.1");
      EXPECT_NE(transport->local_address().port(), 0);
      EXPECT_GE(transport->fileno(), 0);
      Recorder::connection_lost(std::move(error));
    }
  };
  Log& log = fresh_log();
  Log& server_log = fresh_log();
  auto listener = co_await listen(server_log);
  auto factory = [&] { return std::make_unique<Named>(log, "client"); };
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  EXPECT_EQ(transport->peer_address(), listener.server.address());
  EXPECT_EQ(&transport->get_protocol(), protocol);
  transport->abort();
  EXPECT_EQ(log, "client made") << "connection_lost() is never called from inside";
  co_await protocol->gone.wait();
  EXPECT_EQ(log, "client made, client lost none");
}

BACKEND_TEST(Transports, APeerThatResetsIsToldByConnectionLost) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  auto reset = [](eddy::StreamReader, eddy::StreamWriter writer) -> Coro<> {
    const linger now{1, 0};
    ::setsockopt(writer.fileno(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    writer.abort();
    co_return;
  };
  auto server = co_await eddy::start_server(reset, "127.0.0.1", 0);
  auto factory = make_recorder(log, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", server.port());
  co_await protocol->gone.wait();
  EXPECT_EQ(log.str(), "client made, client lost read from " + server.address().str() + ": Connection reset by peer");
}

BACKEND_TEST(Transports, LP_6_ARefusedConnectionIsThrownAndTheFactoryIsNotCalled) {
  auto& loop = eddy::get_running_loop();
  int made = 0;
  auto factory = [&] {
    ++made;
    return std::make_unique<eddy::Protocol>();
  };
  int port = 0;
  {
    auto gone = co_await eddy::start_server([](eddy::StreamReader, eddy::StreamWriter) -> Coro<> { co_return; }, "127.0.0.1", 0);
    port = gone.port();
    gone.close();
  }
  co_await eddy::testing::settle();
  auto connecting = loop.create_connection(factory, "127.0.0.1", port);
  auto error = co_await eddy::testing::error_of<eddy::ConnectionRefusedError>(std::move(connecting));
  EXPECT_EQ(std::string(error.what()), "connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
  EXPECT_EQ(made, 0);
}

BACKEND_TEST(Transports, WhatTheFactoryThrowsComesOutOfCreateConnection) {
  auto& loop = eddy::get_running_loop();
  Log& server_log = fresh_log();
  auto listener = co_await listen(server_log);
  auto factory = []() -> std::unique_ptr<eddy::Protocol> { throw std::logic_error("no protocol today"); };
  auto connecting = loop.create_connection(factory, "127.0.0.1", listener.server.port());
  auto error = co_await eddy::testing::error_of<std::logic_error>(std::move(connecting));
  EXPECT_EQ(std::string(error.what()), "no protocol today");
  auto null_factory = []() -> std::unique_ptr<eddy::Protocol> { return nullptr; };
  auto nothing = loop.create_connection(null_factory, "127.0.0.1", listener.server.port());
  auto null_error = co_await eddy::testing::error_of<eddy::RuntimeError>(std::move(nothing));
  EXPECT_EQ(std::string(null_error.what()), "the protocol factory returned no protocol");
}

BACKEND_TEST(Transports, LP_6_UnixConnectionsWorkByPathAndByAbstractName) {
  auto& loop = eddy::get_running_loop();
  const auto path = "/tmp/eddy-transports-" + std::to_string(::getpid()) + ".sock";
  for (const auto& name : {path, "@eddy-transports-" + std::to_string(::getpid())}) {
    Log& server_log = fresh_log();
    Log& log = fresh_log();
    {
      auto server = co_await loop.create_unix_server(make_recorder(server_log, "server"), name);
      auto factory = make_recorder(log, "client");
      auto [transport, protocol] = co_await loop.create_unix_connection(factory, name);
      transport->write("hello");
      transport->write_eof();
      co_await protocol->gone.wait();
      EXPECT_EQ(transport->peer_address().str(), name);
      server.close();
      co_await server.wait_closed();
    }
    EXPECT_EQ(server_log, "server made, server data hello, server eof, server lost none");
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the server takes its socket away";
}

BACKEND_TEST(Transports, AUnixSocketThatNobodyListensOnIsReplacedAndALiveOneIsNot) {
  auto& loop = eddy::get_running_loop();
  const auto path = "/tmp/eddy-stale-" + std::to_string(::getpid()) + ".sock";
  const auto address = eddy::Address::from_path(path);
  const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::bind(stale, static_cast<const sockaddr*>(address.data()), address.size()), 0);
  ::close(stale);
  Log& log = fresh_log();
  auto server = co_await loop.create_unix_server(make_recorder(log, "server"), path);
  auto second = loop.create_unix_server(make_recorder(log, "second"), path);
  auto error = co_await eddy::testing::error_of<eddy::OSError>(std::move(second));
  EXPECT_EQ(std::string(error.what()), "listen on " + path + ": Address already in use");
  server.close();
}

BACKEND_TEST(Transports, LP_6_AnAcceptedSocketGetsItsProtocol) {
  auto& loop = eddy::get_running_loop();
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Log& log = fresh_log();
  Log& other = fresh_log();
  auto factory = make_recorder(log, "accepted");
  auto [transport, protocol] = co_await loop.connect_accepted_socket(factory, ends[0]);
  auto other_factory = make_recorder(other, "other");
  auto [other_transport, other_protocol] = co_await loop.connect_accepted_socket(other_factory, ends[1]);
  other_transport->writelines({"one ", "two ", "three"});
  other_transport->close();
  co_await protocol->gone.wait();
  EXPECT_EQ(log, "accepted made, accepted data one two three, accepted eof, accepted lost none");

  int pipe_ends[2];
  EXPECT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  auto unused = make_recorder(log, "unused");
  auto connecting = loop.connect_accepted_socket(unused, pipe_ends[0]);
  auto error = co_await eddy::testing::error_of<eddy::ValueError>(std::move(connecting));
  EXPECT_EQ(std::string(error.what()),
            "connect_accepted_socket: descriptor " + std::to_string(pipe_ends[0]) + " is no stream socket");
  ::close(pipe_ends[1]);
}

BACKEND_TEST(Transports, LP_10_PipesHaveATransportForEachEnd) {
  auto& loop = eddy::get_running_loop();
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Log& log = fresh_log();
  Log& writer_log = fresh_log();
  auto reader_factory = make_recorder(log, "reader");
  auto [reading, reader] = co_await loop.connect_read_pipe(reader_factory, ends[0]);
  auto writer_factory = make_recorder(writer_log, "writer");
  auto [writing, writer] = co_await loop.connect_write_pipe(writer_factory, ends[1]);
  EXPECT_FALSE(reading->can_write_eof());
  EXPECT_TRUE(writing->can_write_eof());
  auto& read_end = *reading;
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, read_end.write("x")),
            "write to descriptor " + std::to_string(ends[0]) + ", the reading end of a pipe");
  writing->write("through the pipe");
  writing->write_eof();
  co_await reader->gone.wait();
  co_await writer->gone.wait();
  EXPECT_EQ(log, "reader made, reader data through the pipe, reader eof, reader lost none");
  EXPECT_EQ(writer_log, "writer made, writer lost none");
}

BACKEND_TEST(Transports, LP_10_TheWritingEndHearsThatTheReaderHasGone) {
  auto& loop = eddy::get_running_loop();
  for (const bool full : {false, true}) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Log& log = fresh_log();
    auto factory = make_recorder(log, "writer");
    auto [transport, protocol] = co_await loop.connect_write_pipe(factory, ends[1]);
    transport->set_write_buffer_limits({.low = 0, .high = 10'000'000});
    if (full) transport->write(std::string(1'000'000, 'x'));
    ::close(ends[0]);
    co_await protocol->gone.wait();
    EXPECT_EQ(log.str(), full ? "writer made, writer lost write to descriptor " + std::to_string(ends[1]) + ": Broken pipe"
                              : "writer made, writer lost none");
  }
}

BACKEND_TEST(Transports, FilesAreRefusedAsPipes) {
  const int fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  Log& log = fresh_log();
  auto factory = make_recorder(log, "file");
  auto connecting = eddy::get_running_loop().connect_read_pipe(factory, fd);
  auto error = co_await eddy::testing::error_of<eddy::ValueError>(std::move(connecting));
  EXPECT_EQ(std::string(error.what()), "connect_read_pipe: descriptor " + std::to_string(fd) + " is no pipe, socket or terminal");
}

BACKEND_TEST(Transports, STR_10_ADescriptorThatATransportUsesIsRefused) {
  auto& loop = eddy::get_running_loop();
  Log& log = fresh_log();
  auto listener = co_await listen(log);
  Log& other = fresh_log();
  auto factory = make_recorder(other, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  const int fd = transport->fileno();
  const auto text = "File descriptor " + std::to_string(fd) + " is used by transport";
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.add_reader(fd, [] {})), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop.add_writer(fd, [] {})), text);
  transport->close();
  co_await protocol->gone.wait();
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  loop.add_reader(ends[0], [] {});
  EXPECT_TRUE(loop.remove_reader(ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
}

BACKEND_TEST(Transports, AServerClosesItsClientsAndWaitsForThem) {
  auto& loop = eddy::get_running_loop();
  Log& server_log = fresh_log();
  auto listener = co_await listen(server_log);
  Log& log = fresh_log();
  auto factory = make_recorder(log, "client");
  auto [transport, protocol] = co_await loop.create_connection(factory, "127.0.0.1", listener.server.port());
  while (listener.server.connections() == 0) co_await eddy::sleep(1ms);
  listener.server.close();
  EXPECT_FALSE(listener.server.is_serving());
  listener.server.close_clients();
  co_await listener.server.wait_closed();
  co_await protocol->gone.wait();
  EXPECT_EQ(server_log, "server made, server lost none");
  EXPECT_EQ(log, "client made, client eof, client lost none");
}

BACKEND_TEST(Transports, AFullServerLetsNewConnectionsWait) {
  auto& loop = eddy::get_running_loop();
  Log& server_log = fresh_log();
  auto factory = make_recorder(server_log, "server");
  auto server = co_await loop.create_server(factory, "127.0.0.1", 0, {.max_connections = 1});
  Log& log = fresh_log();
  auto client = make_recorder(log, "client");
  auto [first, first_protocol] = co_await loop.create_connection(client, "127.0.0.1", server.port());
  auto [second, second_protocol] = co_await loop.create_connection(client, "127.0.0.1", server.port());
  while (server_log == "") co_await eddy::sleep(1ms);
  co_await eddy::sleep(10ms);
  EXPECT_EQ(server.connections(), 1u);
  first->close();
  co_await first_protocol->gone.wait();
  while (server_log == "server made" || server.connections() != 1) co_await eddy::sleep(1ms);
  EXPECT_EQ(server_log, "server made, server eof, server lost none, server made");
  second->close();
}

TEST(Transports, ALoopThatClosesTellsNoProtocolAndLeaksNothing) {
  Log& log = fresh_log();
  Log& server_log = fresh_log();
  for (auto backend : eddy::available_backends()) {
    auto leave_open = [&]() -> Coro<> {
      auto listener = co_await listen(server_log);
      auto factory = make_recorder(log, "client");
      auto connection = co_await eddy::get_running_loop().create_connection(factory, "127.0.0.1", listener.server.port());
      connection.transport->write("never read");
    };
    eddy::run(leave_open(), {.backend = backend});
  }
  EXPECT_EQ(log.str().find("lost"), std::string::npos);
}

namespace {

struct EchoBack : eddy::Protocol {
  void connection_made(eddy::Transport& t) override { transport = &t; }
  void data_received(std::string_view data) override { transport->write(data); }
  eddy::Transport* transport = nullptr;
};
struct Asker : eddy::Protocol {
  explicit Asker(eddy::Future<std::string> to) : answer(std::move(to)) {}
  void connection_made(eddy::Transport& t) override { t.write("question"); }
  void data_received(std::string_view data) override {
    text += data;
    if (text.size() == 8 && !answer.done()) answer.set_result(text);
  }
  eddy::Future<std::string> answer;
  std::string text;
};

Coro<> echo_exchange() {
  auto& loop = eddy::get_running_loop();
  auto server = co_await loop.create_server([] { return std::make_unique<EchoBack>(); }, "127.0.0.1", 0);
  auto answer = loop.create_future<std::string>();
  auto factory = [&] { return std::make_unique<Asker>(answer); };
  auto connection = co_await loop.create_connection(factory, "127.0.0.1", server.port());
  const auto text = co_await answer;
  connection.transport->close();
  server.close();
  if (text != "question") throw std::logic_error("wrong answer: " + text);
}

}  // namespace

TEST(Transports, AnExchangeOverTheKernelEndsWellWhereverItIsCancelledOrFails) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    EXPECT_GT(eddy::testing::cancel_everywhere(echo_exchange, {.cancel_rest = true, .backend = backend}), 3u);
    EXPECT_GT(eddy::testing::fail_everywhere(echo_exchange, eddy::OSError(EIO, "await"), {.cancel_rest = true, .backend = backend}), 2u);
  }
}

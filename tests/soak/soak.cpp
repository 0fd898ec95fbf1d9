// SPDX-License-Identifier: MIT
// Mixed load against servers of its own, for minutes: nothing may grow.
//
//     $ soak --seconds 300                    a process for each back end, at the same time
//     $ soak --seconds 10 --backend epoll --seed 7
//     soak: epoll: ok: 10 s, 20,481 actions, 3 ended otherwise than they should; heap 1,021 -> 1,033 KiB, …
//
// Clients connect, talk, half-close, reset, give up, are cancelled and run out of time, at random. From time to time
// all of them pause; when every connection has ended, tasks, timers and descriptors must be what they were at 40 % of the
// time, and heap and resident memory about that. What is sent back is compared, and no report may reach the loop.
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#define SOAK_SANITIZED 1
// A small quarantine: resident memory shall say something.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=8:thread_local_quarantine_size_kb=64"; }
#else
#define SOAK_SANITIZED 0
#endif

namespace {

using namespace std::chrono_literals;
using eddy::Coro;
using eddy::StreamReader;
using eddy::Streams;
using eddy::StreamWriter;

constexpr int kWorkers = 24;
constexpr int kSamples = 20;

struct Arguments {
  double seconds = 300;
  std::string backend;  // empty: each of them
  unsigned seed = std::random_device{}();
};

struct Wrong : std::runtime_error {
  using runtime_error::runtime_error;
};

// --- what is watched ----------------------------------------------------------------------------------

struct Sample {
  std::size_t heap = 0, resident = 0;  // bytes
  std::size_t descriptors = 0, tasks = 0, timers = 0;
};

std::size_t heap_bytes() {
#if SOAK_SANITIZED
  return __sanitizer_get_current_allocated_bytes();
#else
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Sample take_sample() {
  Sample sample;
  const auto metrics = eddy::get_running_loop().metrics();
  sample.tasks = metrics.tasks;
  sample.timers = metrics.timers;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) sample.descriptors += !entry.path().empty();
  sample.heap = heap_bytes();
  sample.resident = resident_bytes();
  return sample;
}

// Caches fill by and by; what leaks with every action, or one in a hundred, is past this long before the end.
bool has_grown(std::size_t before, std::size_t after, std::size_t slack) { return after > before + before / 20 + slack; }

std::string growth(const Sample& before, const Sample& after) {
  std::string grown;
  auto note = [&](const char* what, bool has) {
    if (has) grown += (grown.empty() ? "" : ", ") + std::string(what);
  };
  note("heap", has_grown(before.heap, after.heap, 256 * 1024));
  note("resident memory", has_grown(before.resident, after.resident, 24 * 1024 * 1024));
  note("descriptors", after.descriptors != before.descriptors);
  note("tasks", after.tasks != before.tasks);
  note("timers", after.timers != before.timers);
  return grown;
}

// --- the servers --------------------------------------------------------------------------------------

Coro<> echo(StreamReader reader, StreamWriter writer) {
  try {
    for (;;) {
      auto bytes = co_await reader.read_view();
      if (bytes.empty()) break;
      writer.write(bytes);
      co_await writer.drain();
    }
  } catch (const eddy::OSError&) {
    // The client has gone, one way or another.
  }
}

class EchoProtocol final : public eddy::Protocol {
 public:
  void connection_made(eddy::Transport& transport) override { transport_ = &transport; }
  void data_received(std::string_view data) override { transport_->write(data); }
  void pause_writing() override { transport_->pause_reading(); }
  void resume_writing() override { transport_->resume_reading(); }

 private:
  eddy::Transport* transport_ = nullptr;
};

eddy::http::Application application() {
  using namespace eddy::http;
  Application app;
  app.get("/", [](Request&) -> Coro<Response> { co_return text_response("hello"); });
  app.get("/slow", [](Request&) -> Coro<Response> {
    co_await eddy::sleep(3ms);
    co_return text_response("slow");
  });
  app.get("/big", [](Request&) -> Coro<Response> { co_return text_response(std::string(300'000, 'x')); });
  app.post("/echo", [](Request& request) -> Coro<Response> { co_return text_response(co_await request.body()); });
  return app;
}

class Soak {
 public:
  explicit Soak(const Arguments& arguments)
      : arguments_(arguments), random_(arguments.seed), identity_(eddy::tls::self_signed("localhost")),
        serving_(eddy::tls::server(identity_)), trusting_(eddy::tls::client({.ca_pem = identity_.certificate_pem})) {}

  Coro<> run() {
    eddy::get_running_loop().set_exception_handler([this](const eddy::ExceptionContext& context) {
      wrong("a report: " + context.message);
    });
    co_await start();
    std::vector<eddy::Task<>> workers;
    for (int i = 0; i < kWorkers; ++i) workers.push_back(eddy::create_task(work()));
    may_run_.set();
    const auto began = std::chrono::steady_clock::now();
    for (int i = 1; i <= kSamples; ++i) {
      co_await eddy::sleep(eddy::Duration::nanoseconds(static_cast<std::int64_t>(arguments_.seconds / kSamples * 1e9)));
      co_await pause();
      last_ = take_sample();
      if (i <= kSamples * 2 / 5) first_ = last_;
      if (i == kSamples) stop_ = true;
      may_run_.set();
    }
    for (auto& worker : workers) co_await worker;
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    co_await end();
  }

  // One line, and what went wrong.
  bool report(std::string_view backend) const {
    const auto grown = growth(first_, last_);
    const bool good = grown.empty() && wrongs_.empty();
    for (const auto& text : wrongs_) fmt::print("soak: {}: {}\n", backend, text);
    fmt::print("soak: {}: {}: {:.0f} s, {} actions ({} ended by an error of the connection); heap {} -> {} KiB, resident {} -> {} "
               "MiB, descriptors {} -> {}, tasks {} -> {}, timers {} -> {}\n",
               backend, good ? "ok" : grown.empty() ? "FAILED" : "GREW: " + grown, seconds_, actions_, errors_,
               first_.heap / 1024, last_.heap / 1024, first_.resident >> 20, last_.resident >> 20, first_.descriptors,
               last_.descriptors, first_.tasks, last_.tasks, first_.timers, last_.timers);
    std::fflush(stdout);
    return good;
  }

 private:
  // --- the frame
  Coro<> start() {
    eddy::ServerOptions options;
    options.idle_timeout = 100ms;
    impatient_ = co_await keep(eddy::start_server(echo, "127.0.0.1", 0, options));
    options.idle_timeout = 1min;  // a busy machine shall end no connection
    options.max_connections_per_peer = 3;
    plain_ = co_await keep(eddy::start_server(echo, "127.0.0.1", 0, options));
    options.tls = &serving_;
    tls_ = co_await keep(eddy::start_server(echo, "127.0.0.1", 0, options));
    options.tls = nullptr;
    auto factory = [] { return std::make_unique<EchoProtocol>(); };
    protocol_ = co_await keep(eddy::get_running_loop().create_server(factory, "127.0.0.1", 0, options));
    path_ = fmt::format("@eddy-soak-{}", ::getpid());
    co_await keep(eddy::start_unix_server(echo, path_));
    eddy::http::ServeOptions http;
    http.port = 0;
    http.header_timeout = 100ms;
    http.idle_timeout = 100ms;
    http.body_timeout = 100ms;
    http_.emplace(co_await eddy::http::serve(application(), http));
    eddy::DatagramOptions datagrams;
    datagrams.local = eddy::Address("127.0.0.1", 0);
    udp_ = co_await eddy::open_datagram(datagrams);
    answering_ = eddy::create_task(answer_datagrams());
  }

  Coro<eddy::Server> keep(Coro<eddy::Server> starting) {
    auto server = co_await std::move(starting);
    servers_.push_back(server);
    co_return server;
  }

  Coro<> end() {
    answering_.cancel();
    try {
      co_await answering_;
    } catch (const eddy::CancelledError&) {
    }
    udp_.close();
    for (auto& server : servers_) co_await server.shutdown(100ms);
    co_await http_->shutdown(100ms);
  }

  Coro<> pause() {
    may_run_.clear();
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (running_ > 0 || connections() > 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        wrong(fmt::format("{} actions and {} connections do not end:{}", running_, connections(), open_connections()));
        if (wrongs_.size() == 1) eddy::print_tasks();
        break;
      }
      co_await eddy::sleep(2ms);
    }
    co_await eddy::sleep(20ms);
  }

  std::size_t connections() const {
    std::size_t count = http_->connections();
    for (const auto& server : servers_) count += server.connections();
    return count;
  }

  std::string open_connections() const {
    std::string text = fmt::format(" http {}", http_->connections());
    for (const auto& server : servers_) text += fmt::format(", {} {}", server.address().str(), server.connections());
    return text;
  }

  Coro<> work() {
    for (;;) {
      co_await may_run_.wait();
      if (stop_) break;
      ++running_;
      ++actions_;
      try {
        co_await act();
      } catch (const eddy::OSError&) {
        ++errors_;
      } catch (const eddy::IncompleteReadError&) {
        ++errors_;
      } catch (const std::exception& error) {
        wrong(error.what());
      }
      --running_;
    }
  }

  void wrong(std::string text) {
    if (wrongs_.size() < 20) wrongs_.push_back(std::move(text));
  }

  // --- the actions
  Coro<> act() {
    switch (any(14)) {
      case 0: case 1: return talk(*plain_);
      case 2: return talk(*protocol_);
      case 3: return talk_over_unix();
      case 4: return talk_over_tls();
      case 5: return half_close();
      case 6: return reset();
      case 7: return cancelled(talk(*plain_));
      case 8: return cancelled(talk_over_tls());
      case 9: return out_of_time(talk(*protocol_));
      case 10: return ask_http();
      case 11: return disturb_http();
      case 12: return ask_by_datagram();
      case 13: return any(8) == 0 ? be_idle() : any(2) == 0 ? serve_for_a_moment() : primitives();
    }
    return primitives();
  }

  Coro<> exchange(Streams streams) {
    const auto messages = any(20) + 1;
    for (unsigned i = 0; i < messages; ++i) {
      const auto text = message();
      streams.writer.write(text);
      co_await streams.writer.drain();
      const auto back = co_await streams.reader.readexactly(text.size());
      if (back != text) throw Wrong("an echo is wrong");
    }
    if (any(2)) streams.writer.close();
  }

  // Most of them end with a reset, and they come from addresses of this process: with all of them in TIME_WAIT on
  // 127.0.0.1, the tests that run beside would find no free port.
  Coro<Streams> connect(int port, eddy::ConnectionOptions options = {}) {
    options.local = eddy::Address(fmt::format("127.{}.0.{}", ::getpid() % 250 + 2, any(8) + 1), 0);
    auto streams = co_await eddy::open_connection("127.0.0.1", port, options);
    if (any(8) != 0) end_by_reset(streams);
    co_return streams;
  }
  static void end_by_reset(Streams& streams) {
    const linger at_once{1, 0};
    ::setsockopt(streams.writer.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  Coro<> talk(eddy::Server server) {
    auto streams = co_await connect(server.port());
    co_await exchange(std::move(streams));
  }
  Coro<> talk_over_unix() {
    auto streams = co_await eddy::open_unix_connection(path_);
    co_await exchange(std::move(streams));
  }
  Coro<> talk_over_tls() {
    eddy::ConnectionOptions options;
    options.tls = &trusting_;
    options.server_hostname = "localhost";
    auto streams = co_await connect(tls_->port(), options);
    if (any(8) == 0) streams.writer.abort();
    else co_await exchange(std::move(streams));
  }

  Coro<> half_close() {
    const bool to_protocol = any(2) == 0;
    auto streams = co_await connect(to_protocol ? protocol_->port() : plain_->port());
    const auto text = message();
    streams.writer.write(text);
    streams.writer.write_eof();
    const auto back = co_await streams.reader.read();
    if (back != text) throw Wrong(fmt::format("after a half close, {} bytes of {} came back from a {}", back.size(), text.size(),
                                             to_protocol ? "protocol" : "stream"));
  }

  Coro<> reset() {
    auto streams = co_await connect(any(2) ? plain_->port() : tls_->port());
    end_by_reset(streams);
    streams.writer.write(message());
    if (any(2)) co_await eddy::sleep(moment());
    streams.writer.abort();
  }

  Coro<> cancelled(Coro<> coroutine) {
    auto task = eddy::create_task(std::move(coroutine));
    co_await eddy::sleep(moment());
    task.cancel();
    try {
      co_await task;
    } catch (const eddy::CancelledError&) {
    }
  }

  Coro<> out_of_time(Coro<> coroutine) {
    const auto limit = moment();
    co_await eddy::timeout(limit, std::move(coroutine));
  }

  Coro<> ask_http() {
    auto streams = co_await connect(http_->port());
    const auto requests = any(10) + 1;
    for (unsigned i = 0; i < requests; ++i) {
      const auto body = message();
      const auto text = any(3) ? std::string("GET /") + (any(4) ? "" : any(2) ? "slow" : "big") + " HTTP/1.1\r\nHost: a\r\n\r\n"
                               : fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
      streams.writer.write(text);
      co_await streams.writer.drain();
      const auto head = co_await streams.reader.readuntil("\r\n\r\n");
      const auto at = head.find("Content-Length: ");
      if (!head.starts_with("HTTP/1.1 200 OK\r\n") || at == head.npos) throw Wrong("an answer of HTTP is wrong: " + head);
      const auto answer = co_await streams.reader.readexactly(std::strtoul(head.c_str() + at + 16, nullptr, 10));
      if (text[0] == 'P' && answer != body) throw Wrong("an echo over HTTP is wrong");
    }
  }

  Coro<> disturb_http() {
    auto streams = co_await connect(http_->port());
    const char* const texts[] = {"GET / HTTP/1.1\r\nHost", "nonsense\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
                                 "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", ""};
    streams.writer.write(texts[any(6)]);
    co_await eddy::sleep(moment());
    switch (any(4)) {
      case 0: streams.writer.abort(); break;
      case 1: streams.writer.write_eof(); break;
      case 2: co_await streams.reader.read(); break;
      default: break;
    }
  }

  Coro<> ask_by_datagram() {
    eddy::DatagramOptions options;
    options.remote = udp_.local_address();
    auto socket = co_await eddy::open_datagram(options);
    const auto text = message().substr(0, 1200);
    co_await socket.send(text);
    const auto limit = 50ms;
    try {
      auto answer = co_await eddy::timeout(limit, receive(socket));
      if (answer.data != text) throw Wrong("a datagram is wrong");
    } catch (const eddy::TimeoutError&) {  // it was dropped
      ++errors_;
    }
  }
  static Coro<eddy::Datagram> receive(eddy::DatagramSocket& socket) {
    auto datagram = co_await socket.receive();
    co_return datagram;
  }
  Coro<> answer_datagrams() {
    for (;;) {
      auto datagram = co_await udp_.receive();
      co_await udp_.send_to(datagram.data, datagram.from);
    }
  }

  Coro<> be_idle() {
    auto streams = co_await eddy::open_connection("127.0.0.1", impatient_->port());
    const auto rest = co_await streams.reader.read();
    if (!rest.empty()) throw Wrong("bytes came on an idle connection");
  }

  Coro<> serve_for_a_moment() {
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    auto task = eddy::create_task(talk(server));
    co_await eddy::sleep(moment());
    co_await server.shutdown(moment());
    co_await task;
  }

  Coro<> primitives() {
    eddy::Queue<int> queue(2);
    auto put = [&]() -> Coro<> {
      for (int i = 0; i < 5; ++i) co_await queue.put(i);
    };
    auto putting = eddy::create_task(put());
    for (int i = 0; i < 5; ++i) {
      const auto got = co_await queue.get();
      if (got != i) throw Wrong("a queue's order is wrong");
    }
    co_await putting;
    std::vector<Coro<>> sleeps;
    for (unsigned i = any(10); i > 0; --i) sleeps.push_back(nap(moment()));
    co_await eddy::gather(std::move(sleeps));
  }
  static Coro<> nap(eddy::Duration length) { co_await eddy::sleep(length); }

  unsigned any(unsigned below) { return static_cast<unsigned>(random_()) % below; }
  eddy::Duration moment() { return eddy::Duration::nanoseconds(any(4'000'000)); }
  std::string message() {
    const unsigned size = any(8) ? any(500) + 1 : any(100'000) + 1;
    std::string text(size, '\0');
    auto value = static_cast<unsigned>(random_());
    for (auto& byte : text) byte = static_cast<char>('a' + (value = value * 1664525u + 1013904223u) % 26u);
    return text;
  }

  Arguments arguments_;
  std::mt19937 random_;
  eddy::tls::Identity identity_;
  eddy::tls::Context serving_, trusting_;

  std::vector<eddy::Server> servers_;
  std::optional<eddy::Server> plain_, impatient_, protocol_, tls_;
  std::optional<eddy::http::HttpServer> http_;
  eddy::DatagramSocket udp_;
  eddy::Task<> answering_;
  std::string path_;

  eddy::Event may_run_;
  bool stop_ = false;
  int running_ = 0;
  std::uint64_t actions_ = 0, errors_ = 0;
  double seconds_ = 0;
  std::vector<std::string> wrongs_;
  Sample first_, last_;
};

// --- the processes ------------------------------------------------------------------------------------

std::optional<eddy::Backend> backend_called(std::string_view name) {
  for (const auto backend : eddy::available_backends()) {
    if (eddy::to_string(backend) == name) return backend;
  }
  return {};
}

int soak_one(const Arguments& arguments, eddy::Backend backend) {
  bool good = false;
  try {
    Soak soak(arguments);
    eddy::run(soak.run(), {.backend = backend});
    good = soak.report(eddy::to_string(backend));
  } catch (const std::exception& error) {
    fmt::print("soak: {}: {}\n", eddy::to_string(backend), error.what());
  }
  return good ? 0 : 1;
}

int soak_all(const Arguments& arguments) {
  std::set<pid_t> children;
  for (const auto backend : eddy::available_backends()) {
    const auto child = ::fork();
    if (child == 0) std::exit(soak_one(arguments, backend));
    if (child > 0) children.insert(child);
  }
  int failed = children.empty();
  while (!children.empty()) {
    int status = 0;
    const auto child = ::wait(&status);
    if (child < 0) break;
    children.erase(child);
    if (status != 0) ++failed;
  }
  fmt::print("soak: {}\n", failed ? "FAILED" : "ok on every back end");
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") arguments.seconds = std::atof(argv[i + 1]);
    else if (name == "--minutes") arguments.seconds = std::atof(argv[i + 1]) * 60;
    else if (name == "--seed") arguments.seed = static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10));
    else if (name == "--backend") arguments.backend = argv[i + 1];
    else argc = 0;
  }
  if (argc % 2 == 0 || arguments.seconds <= 0) {
    std::fputs("usage: soak [--minutes M | --seconds S] [--backend NAME] [--seed N]\n", stderr);
    return 2;
  }
  fmt::print("soak: {} s, seed {}\n", arguments.seconds, arguments.seed);
  std::fflush(stdout);
  if (arguments.backend.empty()) return soak_all(arguments);
  const auto backend = backend_called(arguments.backend);
  if (!backend) {
    fmt::print(stderr, "soak: the back end '{}' is not one of this machine's\n", arguments.backend);
    return 2;
  }
  return soak_one(arguments, *backend);
}

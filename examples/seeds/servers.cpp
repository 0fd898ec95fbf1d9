// SPDX-License-Identifier: MIT
// Table 1b, and STR-07 of 1e: models of servers, events, retries, foreign libraries, many clients.
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <thread>

#include "seed.hpp"

using eddy::Address;
using eddy::Socket;

namespace {

Socket listening_socket() {
  Socket socket;
  socket.bind(Address("127.0.0.1", 0));
  socket.listen();
  return socket;
}

void echo(Socket client) {
  for (std::string data; !(data = client.recv(1000)).empty();) client.sendall(data);
}

bool echoes(const Address& address, int clients) {
  bool right = true;
  for (int i = 0; i < clients; ++i) {
    Socket client;
    client.connect(address);
    const auto text = "request " + std::to_string(i);
    client.sendall(text);
    right = client.recv(100) == text && right;
  }
  return right;
}

constexpr int kClients = 5;

// The clients live in this process too, so a child inherits their ends: it keeps its own socket and closes the rest, or it
// would never see the end of a stream.
void process_per_request(Socket server) {
  std::vector<pid_t> children;
  for (int i = 0; i < kClients; ++i) {
    const auto client = server.accept().socket;
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(client.fileno(), 3);
      ::close_range(4, ~0u, 0);
      echo(Socket::from_fd(3));
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) ::waitpid(child, nullptr, 0);
}

void thread_per_request(Socket server) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) threads.emplace_back(echo, server.accept().socket);
  for (auto& thread : threads) thread.join();
}

Coro<> echo_on_the_loop(Socket client) {
  auto& loop = eddy::get_running_loop();
  for (;;) {
    auto data = co_await loop.sock_recv(client, 1000);
    if (data.empty()) break;
    co_await loop.sock_sendall(client, data);
  }
}
Coro<> event_list(Socket server) {
  server.set_blocking(false);
  std::vector<Task<>> tasks;
  for (int i = 0; i < kClients; ++i) {
    auto accepted = co_await eddy::get_running_loop().sock_accept(server);
    tasks.push_back(create_task(echo_on_the_loop(std::move(accepted.socket))));
  }
  for (auto& task : tasks) co_await task;
}

}  // namespace

PLAIN_THREAD_SEED("IO-21", "a process a request, a thread a request, an event list", any_time,
                  "process True\nthread True\nevents True") {
  auto try_out = [](const char* model, auto serve) {
    auto server = listening_socket();
    const auto address = server.getsockname();
    bool right = false;
    std::thread clients([&] { right = echoes(address, kClients); });
    serve(std::move(server));
    clients.join();
    print(model, right);
  };
  try_out("process", process_per_request);
  try_out("thread", thread_per_request);
  try_out("events", [](Socket server) { eddy::run(event_list(std::move(server))); });
}

namespace {

// A window's events: each goes with its handler into one queue, and one loop takes them out.
class EventBus {
 public:
  void post(std::function<void()> handler) {  // from any thread
    loop_.call_soon_threadsafe([this, handler] { queue_.put_nowait(handler); });
  }
  Coro<> dispatch(int events) {
    for (; events > 0; --events) {
      auto handler = co_await queue_.get();
      handler();
    }
  }

 private:
  eddy::EventLoop& loop_ = eddy::get_running_loop();
  eddy::Queue<std::function<void()>> queue_;
};

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

THREAD_SEED("IO-22", "events with handlers, one loop; no polling", 2_s,
            "onClick 1\nonKeyDown 2\nonClick 3\nasleep while nothing happened True") {
  EventBus bus;
  const double before = cpu_seconds();
  std::thread user([&] {
    seed::blocking_sleep(2_s);
    bus.post([] { print("onClick", 1); });
    bus.post([] { print("onKeyDown", 2); });
    bus.post([] { print("onClick", 3); });
  });
  co_await bus.dispatch(3);
  const double used = cpu_seconds() - before;
  user.join();
  const eddy::Duration two = 2_s;
  print("asleep while nothing happened", used < static_cast<double>(two.count()) / 1e9 / 10);
}

PLAIN_THREAD_SEED("IO-23", "one program three ways: 3 tasks that wait a second", 5_s,
                  "in sequence: 3\nin threads: 1\nin events: 1, on one thread") {
  seed::Loop clock;  // counts the time of all three
  const auto began = clock.time();
  auto passed = [&, last = began]() mutable {
    const auto now = clock.time();
    const std::chrono::nanoseconds took = now - std::exchange(last, now), second = eddy::Duration(1_s);
    return static_cast<int>((took + second / 4) / second);
  };
  for (int i = 0; i < 3; ++i) seed::blocking_sleep(1_s);
  print("in sequence:", passed());
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([] { seed::blocking_sleep(1_s); });
  for (auto& thread : threads) thread.join();
  print("in threads:", passed());
  clock.run_until_complete([]() -> Coro<> {
    co_await eddy::gather(eddy::sleep(1_s), eddy::sleep(1_s), eddy::sleep(1_s));
  }());
  print("in events: " + std::to_string(passed()) + ", on one thread");
}

SEED("IO-25", "try three times", 3_s, "worked at call 3\ngave up after 3 calls: failure 3") {
  int calls = 0;
  auto works_the_third_time = [&]() -> Coro<int> {
    if (++calls < 3) throw eddy::OSError(EIO, "failure " + std::to_string(calls));
    co_return calls;
  };
  const int at = co_await eddy::retry(works_the_third_time, {.attempts = 3, .backoff = 1_s});
  print("worked at call", at);
  calls = 0;
  auto never_works = [&]() -> Coro<> {
    ++calls;
    throw eddy::OSError(EIO, "failure " + std::to_string(calls));
    co_return;
  };
  try {
    co_await eddy::retry(never_works, {.attempts = 3});
  } catch (const eddy::OSError& error) {
    print("gave up after", calls, "calls:", error.what());
  }
}

namespace {

// A stand-in for a library that has its own socket and no idea of loops, as a database driver in its asynchronous
// mode: it does what it can without waiting, and says what it wants to wait for.
class ForeignConnection {
 public:
  enum class Wants { read, write, nothing };
  explicit ForeignConnection(Socket socket) : socket_(std::move(socket)) { socket_.set_blocking(false); }

  int fileno() const { return socket_.fileno(); }
  void execute(std::string query) { unsent_ = query + "\n"; }
  Wants poll() {
    if (!unsent_.empty()) {
      const auto sent = socket_.try_send(unsent_);
      if (!sent) return Wants::write;
      unsent_.erase(0, *sent);
      if (!unsent_.empty()) return Wants::write;
    }
    char room[64];
    const auto got = socket_.try_recv(room);
    if (got) answer_.append(room, *got);
    return answer_.ends_with('\n') ? Wants::nothing : Wants::read;
  }
  std::string answer() const { return answer_.substr(0, answer_.size() - 1); }

 private:
  Socket socket_;
  std::string unsent_, answer_;
};

Coro<std::string> run_query(ForeignConnection& connection, std::string query) {
  connection.execute(query);
  for (;;) {
    switch (connection.poll()) {
      case ForeignConnection::Wants::nothing: co_return connection.answer();
      case ForeignConnection::Wants::read: co_await eddy::wait_readable(connection.fileno()); break;
      case ForeignConnection::Wants::write: co_await eddy::wait_writable(connection.fileno()); break;
    }
  }
}

}  // namespace

THREAD_SEED("IO-26", "a foreign library's descriptor (a stand-in for one)", 2_s,
            "rows of select 1\nthe loop ticked True\ncancelled, and nothing is watched True") {
  auto [near, far] = eddy::socketpair();
  std::thread database([&far = far] {
    const auto query = far.recv(100);
    seed::blocking_sleep(2_s);
    far.sendall("rows of " + query);
  });
  ForeignConnection connection(std::move(near));
  int ticks = 0;
  auto tick = [&]() -> Coro<> {
    for (;; ++ticks) co_await eddy::sleep(0.1_s);
  };
  auto ticker = create_task(tick());
  const auto rows = co_await run_query(connection, "select 1");
  print(rows);
  print("the loop ticked", ticks > 5);
  ticker.cancel();
  database.join();
  auto [one, two] = eddy::socketpair();
  ForeignConnection idle(std::move(one));
  auto waiting = create_task(run_query(idle, "select 2"));
  co_await eddy::sleep(0_s);
  waiting.cancel();
  try {
    co_await waiting;
  } catch (const eddy::CancelledError&) {
    print("cancelled, and nothing is watched", eddy::get_running_loop().metrics().descriptors == 0);
  }
}

THREAD_SEED("STR-07", "100 clients at once", any_time, "1000 answers, 0 errors") {
  auto serve = [](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
    for (;;) {
      auto bytes = co_await reader.read(1000);
      if (bytes.empty()) break;
      writer.write(bytes);
      co_await writer.drain();
    }
  };
  auto server = co_await eddy::start_server(serve, "127.0.0.1", 0);
  int answers = 0, errors = 0;
  auto client = [&](int id) -> Coro<> {
    auto streams = co_await eddy::open_connection("127.0.0.1", server.port());
    for (int round = 0; round < 10; ++round) {
      const auto text = "hello " + std::to_string(id) + " " + std::to_string(round);
      streams.writer.write(text);
      const auto answer = co_await streams.reader.readexactly(text.size());
      ++(answer == text ? answers : errors);
    }
  };
  std::vector<Coro<>> all;
  for (int id = 0; id < 100; ++id) all.push_back(client(id));
  co_await eddy::gather(std::move(all));
  print(answers, "answers,", std::to_string(errors) + " errors");
  server.close();
}

// SPDX-License-Identifier: MIT
// Table 1b: models of I/O, select, poll, epoll, selectors. On real sockets and the real clock.
#include <aio.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <map>
#include <thread>

#include "seed.hpp"

using eddy::Address;
using eddy::Socket;

namespace {

constexpr eddy::Duration kAtOnce{};
constexpr eddy::Duration kASecond = std::chrono::seconds(1);

Socket listening_socket() {
  Socket socket;
  socket.set_option("SO_REUSEADDR", 1);
  socket.bind(Address("127.0.0.1", 0));
  socket.listen();
  return socket;
}

const std::string kPage = "HTTP/1.1 200 ok\r\n\r\n<h1>Web Server Test</h1>";

// What a browser does: asks, reads to the end.
std::string visit(const Address& address) {
  Socket browser;
  browser.connect(address);
  browser.sendall("GET / HTTP/1.1\r\n\r\n");
  std::string answer, piece;
  while (answer.size() < kPage.size() && !(piece = browser.recv(1000)).empty()) answer += piece;
  return answer;
}

void tell_readiness(const char* when, const std::vector<eddy::PollEvent>& events) {
  print(when, events.empty() ? "nothing" : "readable");
}

}  // namespace

PLAIN_THREAD_SEED("IO-02", "model 1: blocking, the default of sockets", 1_s, "blocking True\nx, after a second of waiting") {
  auto [a, b] = eddy::socketpair();
  print("blocking", a.get_blocking());
  std::thread writer([&b = b] {
    seed::blocking_sleep(1_s);
    b.send("x");
  });
  const auto byte = a.recv(1);
  writer.join();
  print(byte + ", after a second of waiting");
}

PLAIN_THREAD_SEED("IO-03", "model 2: non-blocking, ask again and again", any_time,
                  "BlockingIOError at once\nconnections 1\n200 ok\nconnections 0") {
  auto server = listening_socket();
  server.set_blocking(false);
  try {
    server.accept();
  } catch (const eddy::BlockingIOError&) {
    print("BlockingIOError at once");
  }
  std::string seen;
  std::thread browser([&, address = server.getsockname()] { seen = visit(address); });
  std::vector<Socket> connections;
  std::array<char, 1000> room;
  for (bool over = false; !over; std::this_thread::yield()) {
    try {
      auto accepted = server.accept();
      connections.push_back(std::move(accepted.socket));
      print("connections", connections.size());
    } catch (const eddy::BlockingIOError&) {  // nobody: what about the others?
    }
    for (auto& connection : connections) {
      const auto got = connection.try_recv(room);
      if (got && *got > 0) connection.sendall(kPage);
      if (got && *got == 0) over = true;  // the browser has gone
    }
  }
  browser.join();
  connections.clear();
  print(seen == kPage ? "200 ok" : seen);
  print("connections", connections.size());
}

THREAD_SEED("IO-05", "model 4: a signal tells, the program reads", any_time, "the program goes on\nSIGIO\nread: x") {
  auto [a, b] = eddy::socketpair();
  auto& loop = eddy::get_running_loop();
  eddy::Event told;
  loop.add_signal_handler(SIGIO, [&] { told.set(); });
  ::fcntl(a.fileno(), F_SETOWN, ::getpid());
  ::fcntl(a.fileno(), F_SETFL, ::fcntl(a.fileno(), F_GETFL) | O_ASYNC | O_NONBLOCK);
  print("the program goes on");
  b.send("x");
  co_await told.wait();
  print("SIGIO");
  print("read:", a.recv(1));
  ::fcntl(a.fileno(), F_SETFL, O_NONBLOCK);  // no more signals: without a handler, the next would end the process
  loop.remove_signal_handler(SIGIO);
}

PLAIN_THREAD_SEED("IO-06", "model 5: submit, and hear when the bytes are there", any_time, "submitted\ncompleted: 5 bytes, hello") {
  char name[] = "/tmp/eddy-seed-XXXXXX";
  const eddy::FileDescriptor file(::mkstemp(name));
  ::unlink(name);
  if (::write(file.fileno(), "hello", 5) != 5) return;
  char room[8] = {};
  aiocb request{};  // POSIX aio: glibc does it with a thread
  request.aio_fildes = file.fileno();
  request.aio_buf = room;
  request.aio_nbytes = sizeof room;
  ::aio_read(&request);
  print("submitted");
  const aiocb* requests[] = {&request};
  while (::aio_error(&request) == EINPROGRESS) ::aio_suspend(requests, 1, nullptr);
  const auto came = ::aio_return(&request);
  print("completed:", came, "bytes,", std::string_view(room, static_cast<std::size_t>(came)));
}

PLAIN_THREAD_SEED("IO-07", "select gives back the objects that are ready", 1_s,
                  "nothing in a second: 0 0 0\nreadable: a\nwritable: d\nneeds a descriptor below 1024 True") {
  auto [a, b] = eddy::socketpair();
  auto [c, d] = eddy::socketpair();
  const auto none = eddy::select<const Socket*>({&a, &c}, {}, {}, eddy::Duration(1_s));
  print("nothing in a second:", none.readable.size(), none.writable.size(), none.exceptional.size());
  b.send("x");
  const auto some = eddy::select<const Socket*>({&a, &c}, {&d}, {});
  print("readable:", some.readable == std::vector<const Socket*>{&a} ? "a" : "?");
  print("writable:", some.writable == std::vector<const Socket*>{&d} ? "d" : "?");
  const auto refused = seed::thrown_by<eddy::ValueError>([] { eddy::select({5000}, {}, {}, kAtOnce); });
  print("needs a descriptor below 1024", refused == "select: descriptor 5000 is not below 1024; choose poll or epoll");
}

namespace {

// The article's server: a queue of answers for each client.
class SelectServer {
 public:
  explicit SelectServer(Socket listening) : server_(std::move(listening)) {}

  std::vector<std::string> serve(std::size_t clients) {
    std::size_t gone = 0;
    while (gone < clients) {
      note("waiting for next event...");
      std::vector<Socket*> inputs{&server_}, outputs;
      for (auto& [fd, client] : clients_) {
        inputs.push_back(&client.socket);
        if (client.writes) outputs.push_back(&client.socket);
      }
      const auto ready = eddy::select<Socket*>(inputs, outputs, inputs);
      for (auto* socket : ready.readable) {
        if (socket == &server_) accept();
        else if (!receive(socket->fileno())) ++gone;
      }
      for (auto* socket : ready.writable) {
        if (clients_.contains(socket->fileno())) answer(socket->fileno());
      }
    }
    return log_;
  }

 private:
  struct Client {
    Socket socket;
    std::deque<std::string> queue;
    bool writes = false;
  };

  void accept() {
    auto accepted = server_.accept();
    note("new connection from");
    const int fd = accepted.socket.fileno();
    clients_.emplace(fd, Client{std::move(accepted.socket), {}, false});
  }
  bool receive(int fd) {
    auto& client = clients_.at(fd);
    auto data = client.socket.recv(1024);
    if (data.empty()) {
      note("closing");
      clients_.erase(fd);  // no input and no output any more
      return false;
    }
    client.queue.push_back(std::move(data));
    client.writes = true;
    return true;
  }
  void answer(int fd) {
    auto& client = clients_.at(fd);
    if (client.queue.empty()) {
      note("queue is empty..");
      client.writes = false;
      return;
    }
    std::transform(client.queue.front().begin(), client.queue.front().end(), client.queue.front().begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    client.socket.sendall(client.queue.front());
    client.queue.pop_front();
  }
  void note(const char* line) { log_.emplace_back(line); }

  Socket server_;
  std::map<int, Client> clients_;
  std::vector<std::string> log_;
};

}  // namespace

PLAIN_THREAD_SEED("IO-08", "a select server with a queue for each client", any_time,
                  "client 0: THIS IS THE MESSAGE. |IT WILL BE SENT |IN PARTS.|\n"
                  "client 1: THIS IS THE MESSAGE. |IT WILL BE SENT |IN PARTS.|\n"
                  "waiting for next event... True\nnew connection from 2\nqueue is empty.. True\nclosing 2") {
  auto listening = listening_socket();
  const auto address = listening.getsockname();
  std::vector<std::string> log;
  std::thread server([&] { log = SelectServer(std::move(listening)).serve(2); });
  Socket clients[2];
  std::string answers[2];
  for (auto& client : clients) client.connect(address);
  for (const std::string message : {"This is the message. ", "It will be sent ", "in parts."}) {
    for (auto& client : clients) client.sendall(message);
    for (int i : {0, 1}) {
      std::string answer;
      while (answer.size() < message.size()) answer += clients[i].recv(1024);
      answers[i] += answer + "|";
    }
  }
  // Some more rounds of the server, so that it finds its queues empty.
  seed::blocking_sleep(0.1_s);
  for (auto& client : clients) client.close();
  server.join();
  auto count = [&](const char* line) { return std::count(log.begin(), log.end(), line); };
  for (int i : {0, 1}) print("client " + std::to_string(i) + ":", answers[i]);
  print("waiting for next event...", count("waiting for next event...") > 0);
  print("new connection from", count("new connection from"));
  print("queue is empty..", count("queue is empty..") > 0);
  print("closing", count("closing"));
}

PLAIN_THREAD_SEED("IO-10", "poll has no bound: one ready among 2000", any_time, "1 of 2001 ready, the right one True") {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 4096));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  auto [a, b] = eddy::socketpair();
  auto [c, d] = eddy::socketpair();
  eddy::Poll poll;
  std::vector<eddy::FileDescriptor> copies;
  for (int i = 0; i < 2000; ++i) {
    copies.emplace_back(::fcntl(a.fileno(), F_DUPFD_CLOEXEC, 0));
    if (!copies.back()) return print("not enough descriptors: ulimit -n is too low");
    poll.register_(copies.back().fileno(), POLLIN);
  }
  poll.register_(c.fileno(), POLLIN);
  d.send("x");
  const auto ready = poll.poll(kASecond);
  print(ready.size(), "of 2001 ready, the right one", !ready.empty() && ready[0].fd == c.fileno());
}

PLAIN_THREAD_SEED("IO-11", "level-triggered: unread bytes are told again", any_time,
                  "after 10 bytes: readable\nafter reading 3: readable") {
  auto [a, b] = eddy::socketpair();
  eddy::Epoll epoll;
  epoll.register_(a.fileno(), EPOLLIN);
  b.send("0123456789");
  tell_readiness("after 10 bytes:", epoll.poll(kASecond));
  a.recv(3);
  tell_readiness("after reading 3:", epoll.poll(kAtOnce));
}

PLAIN_THREAD_SEED("IO-12", "edge-triggered: a change is told once", any_time,
                  "after 10 bytes: readable\nafter reading 3: nothing\nafter one byte more: readable") {
  auto [a, b] = eddy::socketpair();
  eddy::Epoll epoll;
  epoll.register_(a.fileno(), EPOLLIN | EPOLLET);
  b.send("0123456789");
  tell_readiness("after 10 bytes:", epoll.poll(kASecond));
  a.recv(3);
  tell_readiness("after reading 3:", epoll.poll(kAtOnce));
  b.send("x");
  tell_readiness("after one byte more:", epoll.poll(kASecond));
}

PLAIN_THREAD_SEED("IO-13", "the epoll object: a web server", any_time, "200 ok\nconnections 0") {
  auto server = listening_socket();
  std::string seen;
  std::thread browser([&, address = server.getsockname()] { seen = visit(address); });
  eddy::Epoll epoll;
  epoll.register_(server.fileno(), EPOLLIN);
  std::map<int, Socket> connections;
  for (bool over = false; !over;) {
    for (const auto& event : epoll.poll()) {
      if (event.fd == server.fileno()) {
        auto accepted = server.accept();
        const int fd = accepted.socket.fileno();
        epoll.register_(fd, EPOLLIN);
        connections.emplace(fd, std::move(accepted.socket));
        continue;
      }
      auto& connection = connections.at(event.fd);
      if (!connection.recv(1000).empty()) {
        connection.sendall(kPage);
        continue;
      }
      epoll.unregister(event.fd);  // before it is closed
      connections.erase(event.fd);
      over = true;
    }
  }
  browser.join();
  print(seen == kPage ? "200 ok" : seen);
  print("connections", connections.size());
}

PLAIN_THREAD_SEED("IO-14", "the C calls in full: own array, maxevents, signal mask", any_time,
                  "1 of 3 ready\n3 of 3 ready\nheld back: 0 events, handler ran 0 times\nlet in: EINTR, handler ran 1 times") {
  static volatile sig_atomic_t handled;
  handled = 0;
  std::vector<std::pair<Socket, Socket>> pairs;
  eddy::Epoll epoll, quiet;
  for (int i = 0; i < 3; ++i) {
    pairs.push_back(eddy::socketpair());
    pairs.back().second.send("x");
    epoll.register_(pairs.back().first.fileno(), EPOLLIN);
  }
  std::array<epoll_event, 1> one;
  std::array<epoll_event, 16> many;
  print(epoll.wait(one).size(), "of 3 ready");
  print(epoll.wait(many).size(), "of 3 ready");

  struct sigaction action {}, before {};
  action.sa_handler = [](int) { handled = handled + 1; };
  ::sigaction(SIGUSR2, &action, &before);
  sigset_t usr2, none, mask;
  sigemptyset(&none);
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &usr2, &mask);
  ::pthread_kill(::pthread_self(), SIGUSR2);
  const auto held = quiet.wait(one, eddy::Duration(std::chrono::milliseconds(10)), &usr2).size();
  print("held back:", held, "events, handler ran", static_cast<int>(handled), "times");
  try {
    quiet.wait(one, kASecond, &none);
  } catch (const eddy::InterruptedError&) {
    print("let in: EINTR, handler ran", static_cast<int>(handled), "times");
  }
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  ::sigaction(SIGUSR2, &before, nullptr);
}

PLAIN_SEED("IO-16", "DefaultSelector picks the best; the environment another", any_time, "epoll\npoll\nselect") {
  ::unsetenv("EDDY_SELECTOR");
  print(eddy::DefaultSelector().name());
  for (const char* name : {"poll", "select"}) {
    ::setenv("EDDY_SELECTOR", name, 1);
    print(eddy::DefaultSelector().name());
  }
  ::unsetenv("EDDY_SELECTOR");
}

PLAIN_THREAD_SEED("IO-17", "selector callbacks: an echo server", any_time,
                  "connections 1\nechoing hello\nconnections 2\nechoing world\nclosing\nclosing\nconnections 0") {
  using Callback = std::function<void(Socket&)>;
  auto server = listening_socket();
  eddy::DefaultSelector selector;
  std::map<int, Socket> connections;
  auto drop = [&](Socket& connection) {
    print("closing");
    const int fd = connection.fileno();
    selector.unregister(connection);
    connections.erase(fd);
  };
  Callback read = [&](Socket& connection) {
    const auto data = connection.recv(1000);
    if (data.empty()) return drop(connection);
    print("echoing", data);
    connection.sendall(data);
  };
  Callback accept = [&](Socket& listening) {
    auto accepted = listening.accept();
    const int fd = accepted.socket.fileno();
    auto& kept = connections.emplace(fd, std::move(accepted.socket)).first->second;
    selector.register_(kept, eddy::EVENT_READ, read);
    print("connections", connections.size());
  };
  selector.register_(server, eddy::EVENT_READ, accept);
  std::thread clients([address = server.getsockname()] {
    Socket first, second;
    first.connect(address);
    first.sendall("hello");
    first.recv(100);
    second.connect(address);
    second.sendall("world");
    second.recv(100);
  });
  for (bool began = false; !began || !connections.empty(); began = true) {
    for (auto& event : selector.select()) {
      std::any_cast<Callback&>(event.key.data)(*event.key.fileobj.get<Socket>());
    }
  }
  clients.join();
  print("connections", connections.size());
}

PLAIN_THREAD_SEED("IO-18", "one descriptor registers once", any_time, "KeyError\nmodified: writable\nregistered anew: 1 key") {
  auto [a, b] = eddy::socketpair();
  eddy::DefaultSelector selector;
  selector.register_(a, eddy::EVENT_READ);
  try {
    selector.register_(a, eddy::EVENT_WRITE);
  } catch (const eddy::KeyError&) {
    print("KeyError");
  }
  selector.modify(a, eddy::EVENT_WRITE);
  print("modified:", selector.select(kASecond).at(0).events == eddy::EVENT_WRITE ? "writable" : "?");
  selector.unregister(a);
  selector.register_(a, eddy::EVENT_READ);
  print("registered anew:", selector.get_map().size(), "key");
}

namespace {

// The article's Fetcher: each step of it is a callback.
class Fetcher {
 public:
  Fetcher(eddy::Selector& selector, std::vector<std::string>& left, std::string path, Address address)
      : selector_(selector), left_(left), path_(std::move(path)), socket_(AF_INET, SOCK_STREAM | SOCK_NONBLOCK) {
    try {
      socket_.connect(address);
    } catch (const eddy::BlockingIOError&) {  // it goes on
    }
    selector_.register_(socket_, eddy::EVENT_WRITE, std::function<void()>([this] { connected(); }));
  }

 private:
  void connected() {
    selector_.unregister(socket_);
    socket_.send("GET " + path_ + " HTTP/1.0\r\nHost: example\r\n\r\n");
    selector_.register_(socket_, eddy::EVENT_READ, std::function<void()>([this] { readable(); }));
  }
  void readable() {
    const auto piece = socket_.recv(1000);
    response_ += piece;
    if (!piece.empty()) return;
    selector_.unregister(socket_);
    print(path_ + ":", response_.substr(response_.find("\r\n\r\n") + 4));
    left_.erase(std::find(left_.begin(), left_.end(), path_));
  }

  eddy::Selector& selector_;
  std::vector<std::string>& left_;
  std::string path_, response_;
  Socket socket_;
};

}  // namespace

PLAIN_THREAD_SEED("IO-19", "fetching by callbacks and a hand-made loop", any_time, "/a: body of /a\n/b: body of /b\nstopped") {
  auto server = listening_socket();
  std::thread serving([&] {
    std::vector<std::pair<std::string, Socket>> asked;
    for (int i = 0; i < 2; ++i) {
      auto client = server.accept().socket;
      const auto request = client.recv(1000);
      const auto path = request.substr(4, request.find(' ', 4) - 4);
      asked.emplace_back(path, std::move(client));
    }
    std::sort(asked.begin(), asked.end(), [](auto& a, auto& b) { return a.first < b.first; });
    for (auto& [path, client] : asked) {
      client.sendall("HTTP/1.0 200 OK\r\n\r\nbody of " + path);
      client.close();
      seed::blocking_sleep(0.2_s);  // so that the answers come in this order
    }
  });
  eddy::DefaultSelector selector;
  std::vector<std::string> left{"/a", "/b"};
  std::vector<std::unique_ptr<Fetcher>> fetchers;
  for (const auto& path : std::vector(left)) {
    fetchers.push_back(std::make_unique<Fetcher>(selector, left, path, server.getsockname()));
  }
  while (!left.empty()) {  // the article's stop flag
    for (auto& event : selector.select()) std::any_cast<std::function<void()>&>(event.key.data)();
  }
  serving.join();
  print("stopped");
}

PLAIN_SEED("IO-20", "kqueue is BSD's", any_time, "on Linux: False") { print("on Linux:", eddy::has_kqueue); }

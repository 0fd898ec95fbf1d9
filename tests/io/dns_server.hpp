// SPDX-License-Identifier: MIT
// A DNS server for tests, on eddy's own sockets: it answers each question as it was told to, and writes down what came.
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/datagrams.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/streams.hpp>
#include <eddy/taskgroups.hpp>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dns {

inline std::string two(unsigned n) { return {static_cast<char>(n >> 8), static_cast<char>(n)}; }
inline std::string four(std::uint32_t n) { return two(n >> 16) + two(n & 0xffff); }

inline std::string wire_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return wire + '\0';
}

inline std::string record(std::string_view owner, unsigned type, std::uint32_t ttl, const std::string& data) {
  return wire_name(owner) + two(type) + two(1) + four(ttl) + two(static_cast<unsigned>(data.size())) + data;
}
inline std::string a(std::string_view owner, std::string_view address, std::uint32_t ttl = 60) {
  const eddy::Address parsed(address, 0);
  const auto* data = static_cast<const sockaddr_in*>(parsed.data());
  return record(owner, 1, ttl, std::string(reinterpret_cast<const char*>(&data->sin_addr), 4));
}
inline std::string aaaa(std::string_view owner, std::string_view address, std::uint32_t ttl = 60) {
  const eddy::Address parsed(address, 0);
  const auto* data = static_cast<const sockaddr_in6*>(parsed.data());
  return record(owner, 28, ttl, std::string(reinterpret_cast<const char*>(&data->sin6_addr), 16));
}
inline std::string cname(std::string_view owner, std::string_view target, std::uint32_t ttl = 60) {
  return record(owner, 5, ttl, wire_name(target));
}
inline std::string ptr(std::string_view owner, std::string_view target, std::uint32_t ttl = 60) {
  return record(owner, 12, ttl, wire_name(target));
}
inline std::string soa(std::string_view zone, std::uint32_t ttl, std::uint32_t minimum) {
  return record(zone, 6, ttl, wire_name("ns." + std::string(zone)) + wire_name("root." + std::string(zone)) + four(1) +
                                  four(3600) + four(600) + four(86400) + four(minimum));
}

struct Query {
  unsigned id = 0, type = 0;
  std::string name;
  std::string question;  // as it came
  bool tcp = false;
};

/// A whole answer.
struct Message {
  unsigned code = 0;
  std::vector<std::string> answers = {}, authority = {};
  unsigned flags = 0x8180;
  std::string bytes(const Query& query) const {
    auto text = two(query.id) + two(flags | code) + two(1) + two(static_cast<unsigned>(answers.size())) +
                two(static_cast<unsigned>(authority.size())) + two(0) + query.question;
    for (const auto& item : answers) text += item;
    for (const auto& item : authority) text += item;
    return text;
  }
};

/// What to send for a question: datagrams, or messages over TCP.
using Reaction = std::function<std::vector<std::string>(const Query&)>;

inline Reaction answer(std::vector<std::string> records) {
  return [records](const Query& query) { return std::vector<std::string>{Message{.answers = records}.bytes(query)}; };
}
inline Reaction code(unsigned code, std::vector<std::string> authority = {}) {
  return [code, authority](const Query& query) {
    return std::vector<std::string>{Message{.code = code, .authority = authority}.bytes(query)};
  };
}
inline Reaction no_data() { return code(0); }
inline Reaction no_name() { return code(3); }
inline Reaction server_failure() { return code(2); }
inline Reaction silence() {
  return [](const Query&) { return std::vector<std::string>(); };
}
/// Over UDP: cut short, so that the whole is asked for over TCP.
inline Reaction truncated(Reaction whole) {
  return [whole](const Query& query) {
    if (query.tcp) return whole(query);
    return std::vector<std::string>{Message{.flags = 0x8380}.bytes(query)};
  };
}

/// Listens on 127.0.0.1, UDP and TCP on one port.
class Server {
 public:
  /// Runs `body(server)` with a server, and ends it.
  template <class Body>
  static eddy::Coro<> run(Body body) {
    Server server;
    co_await server.open();
    auto serve = [&](eddy::TaskGroup& group) -> eddy::Coro<> {
      group.create_task(server.serve());
      co_await body(server);
      group.cancel();
    };
    co_await eddy::task_group(serve);
  }

  std::string address() const { return udp_.local_address().str(); }
  int port() const { return udp_.local_address().port(); }

  /// For questions of this type about this name, one after the other; the last one stays. Others get silence.
  template <class... Reactions>
  void on(std::string_view type_and_name, Reactions... reactions) {
    auto& list = script_[std::string(type_and_name)];
    list.clear();
    (list.push_back(reactions), ...);
  }
  /// Both families: A as told, AAAA without data.
  void on_a(const std::string& name, Reaction reaction) {
    on("A " + name, std::move(reaction));
    on("AAAA " + name, no_data());
  }

  std::vector<std::string> asked;  // "A a.test", "A a.test by TCP"
  std::size_t count(std::string_view what) const {
    return static_cast<std::size_t>(std::count(asked.begin(), asked.end(), what));
  }

 private:
  eddy::Coro<> open() {
    tcp_ = co_await eddy::start_server(
        [this](eddy::StreamReader reader, eddy::StreamWriter writer) -> eddy::Coro<> {
          auto served = serve_tcp(reader, writer);
          co_await std::move(served);
        },
        "127.0.0.1", 0);
    udp_ = co_await eddy::open_datagram({.local = tcp_->address()});
  }

  eddy::Coro<> serve() {
    struct Close {
      Server& server;
      explicit Close(Server& s) : server(s) {}
      ~Close() {
        server.udp_.close();
        server.tcp_->close();
        server.tcp_->close_clients();
      }
    } close(*this);
    for (;;) {
      auto datagram = co_await udp_.receive();
      for (const auto& reply : react(datagram.data, false)) co_await udp_.send_to(reply, datagram.from);
    }
  }

  eddy::Coro<> serve_tcp(eddy::StreamReader reader, eddy::StreamWriter writer) {
    for (;;) {
      std::string head;
      try {
        head = co_await reader.readexactly(2);
      } catch (const eddy::EOFError&) {
        co_return;
      }
      const auto size = static_cast<std::size_t>(static_cast<unsigned char>(head[0]) << 8 | static_cast<unsigned char>(head[1]));
      const auto message = co_await reader.readexactly(size);
      for (const auto& reply : react(message, true)) writer.write(two(static_cast<unsigned>(reply.size())) + reply);
      co_await writer.drain();
    }
  }

  std::vector<std::string> react(std::string_view message, bool tcp) {
    Query query;
    query.tcp = tcp;
    auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(message[i])); };
    query.id = byte(0) << 8 | byte(1);
    std::size_t at = 12;
    while (byte(at) != 0) {
      query.name += (query.name.empty() ? "" : ".") + std::string(message.substr(at + 1, byte(at)));
      at += 1 + byte(at);
    }
    query.type = byte(at + 1) << 8 | byte(at + 2);
    query.question = message.substr(12, at + 5 - 12);
    const auto type = query.type == 1 ? "A" : query.type == 28 ? "AAAA" : "PTR";
    const auto key = std::string(type) + " " + query.name;
    asked.push_back(key + (tcp ? " by TCP" : ""));
    const auto found = script_.find(key);
    if (found == script_.end()) return {};
    const auto reaction = found->second.front();
    if (found->second.size() > 1 && !(tcp)) found->second.pop_front();
    return reaction(query);
  }

  eddy::DatagramSocket udp_;
  std::optional<eddy::Server> tcp_;
  std::map<std::string, std::deque<Reaction>> script_;
};

}  // namespace dns

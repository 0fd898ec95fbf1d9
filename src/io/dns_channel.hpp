// SPDX-License-Identifier: MIT
// One DNS server, asked by c-ares over the loop. c-ares makes the messages, the sockets and the question numbers,
// turns to TCP for long answers and finds the question that an answer belongs to. Time is ours: a channel has one
// server and one try, and who asks gives up by the loop's clock, which may be a virtual one.
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/detail/list.hpp>

#include <memory>
#include <string>
#include <vector>

#include "io/dns_message.hpp"
#include "loop/loop.hpp"

struct ares_channeldata;

namespace eddy::detail {

struct DnsAttempt;

/// Who asks a channel, one question at a time.
class DnsAsker {
 public:
  virtual void answered(DnsAnswer answer) noexcept = 0;

  // The channel's.
  struct Link final : ListNode {
    DnsAsker* asker;
    explicit Link(DnsAsker* who) noexcept : asker(who) {}
  };
  DnsAttempt* attempt = nullptr;  // null: it waits for nothing
  Link unheard{this};             // in a list: it is about to be told of a failure

 protected:
  ~DnsAsker() = default;
};

class DnsChannel final : private ReadyNode, public std::enable_shared_from_this<DnsChannel> {
 public:
  DnsChannel(Loop& loop, const Address& server, Duration timeout, bool tcp);
  DnsChannel(const DnsChannel&) = delete;
  ~DnsChannel();

  /// "127.0.0.1:53"
  const std::string& name() const noexcept { return name_; }

  /// Calls `answered()` once, perhaps before it returns.
  void ask(const std::string& name, RecordType type, DnsAsker& asker);
  /// Something came that nobody has looked at yet.
  bool has_unread() const noexcept { return kept_ != nullptr; }
  /// It is not called any more, by whatever channel it asked.
  static void give_up(DnsAsker& asker) noexcept;

 private:
  struct Socket;

  std::string open();
  void forget_old() noexcept;
  static void socket_changed(void* data, int fd, int readable, int writable) noexcept;
  static void take_answer(void* data, int status, int timeouts, unsigned char* bytes, int size) noexcept;
  static void ready(IoWatch& watch, unsigned events) noexcept;
  static void read_sockets(ReadyNode& node, Dispatch how) noexcept;
  void watch(int fd, unsigned interest);
  static void give_up_quietly(DnsAsker& asker) noexcept;
  void settle() noexcept;
  void fail_all() noexcept;

  Loop& loop_;
  Address server_;
  std::string name_;
  Duration timeout_;
  bool tcp_;
  ares_channeldata* ares_ = nullptr;  // made by the first question
  std::vector<std::unique_ptr<Socket>> sockets_;
  List asked_;                  // attempts that somebody waits for
  std::size_t given_up_ = 0;    // attempts that c-ares still has and nobody waits for
  int inside_ = 0;              // calls of c-ares that are under way
  std::shared_ptr<DnsChannel> kept_;  // this, while it stands in the ready queue
  std::string watch_failure_;   // empty: none since the last settle()
};

}  // namespace eddy::detail

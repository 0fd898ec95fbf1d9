// SPDX-License-Identifier: MIT
#include "io/dns_channel.hpp"

#include <ares.h>
#include <eddy/exceptions.hpp>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/text.hpp"

namespace eddy::detail {

// c-ares has it until it calls back, whether somebody waits or not.
struct DnsAttempt final : ListNode {
  DnsChannel* channel;
  DnsAsker* asker;  // null: given up
  std::string name;
  RecordType type;
  DnsAttempt(DnsChannel* asked, DnsAsker* who, const std::string& what, RecordType of)
      : channel(asked), asker(who), name(what), type(of) {}
};

struct DnsChannel::Socket : IoWatch {
  DnsChannel* channel;
  unsigned pending = 0;  // events that c-ares has not been told of
  explicit Socket(DnsChannel* owner) noexcept : channel(owner) { on_events = &DnsChannel::ready; }
};

DnsChannel::DnsChannel(Loop& loop, const Address& server, Duration timeout, bool tcp)
    : loop_(loop), server_(server), name_(server.str()), timeout_(timeout), tcp_(tcp) {
  run = &read_sockets;
}

DnsChannel::~DnsChannel() {
  if (ares_) ::ares_destroy(ares_);
}

namespace {

std::string initialised_library() {
  static const int status = ::ares_library_init(ARES_LIB_INIT_ALL);
  return status == ARES_SUCCESS ? std::string() : ::ares_strerror(status);
}

ares_addr_port_node server_node(const Address& server) noexcept {
  ares_addr_port_node node{};
  node.family = server.family();
  node.udp_port = node.tcp_port = server.port();
  if (node.family == AF_INET) node.addr.addr4 = static_cast<const sockaddr_in*>(server.data())->sin_addr;
  else std::memcpy(&node.addr.addr6, &static_cast<const sockaddr_in6*>(server.data())->sin6_addr, sizeof node.addr.addr6);
  return node;
}

}  // namespace

// Everything is given, so that c-ares looks into no file. Empty: it worked.
std::string DnsChannel::open() {
  if (auto failure = initialised_library(); !failure.empty()) return failure;
  ares_options options{};
  char lookups[] = "b", no_file[] = "/dev/null";
  options.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | (tcp_ ? ARES_FLAG_USEVC : 0);
  const auto milliseconds = timeout_.count() / 1'000'000 + 1;  // later than we do
  options.timeout = static_cast<int>(std::min<std::int64_t>(milliseconds, std::numeric_limits<int>::max() / 4));
  options.tries = 1;
  options.ndots = 1;
  options.lookups = lookups;
  options.resolvconf_path = no_file;
  options.sock_state_cb = &socket_changed;
  options.sock_state_cb_data = this;
  const int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS |
                    ARES_OPT_DOMAINS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB;
  int status = ::ares_init_options(&ares_, &options, given);
  if (status != ARES_SUCCESS) {
    ares_ = nullptr;
    return ::ares_strerror(status);
  }
  auto server = server_node(server_);
  status = ::ares_set_servers_ports(ares_, &server);
  if (status == ARES_SUCCESS) return {};
  ::ares_destroy(std::exchange(ares_, nullptr));
  return ::ares_strerror(status);
}

void DnsChannel::ask(const std::string& name, RecordType type, DnsAsker& asker) {
  if (!ares_) {
    if (auto failure = open(); !failure.empty()) return asker.answered(DnsAnswer::failed_with("c-ares: " + failure));
  }
  const auto self = shared_from_this();
  forget_old();
  auto* attempt = new DnsAttempt(this, &asker, name, type);
  asked_.push_back(*attempt);
  asker.attempt = attempt;
  constexpr int kInternet = 1;
  ++inside_;
  ::ares_query(ares_, attempt->name.c_str(), kInternet, static_cast<int>(type), &take_answer, attempt);
  --inside_;
  settle();
}

// By the clock of c-ares, whose timeouts are never ours.
void DnsChannel::forget_old() noexcept {
  constexpr std::size_t kMany = 64;
  if (given_up_ < kMany || inside_ > 0) return;
  ++inside_;
  ::ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  --inside_;
}

void DnsChannel::give_up(DnsAsker& asker) noexcept {
  if (asker.unheard.is_linked()) asker.unheard.unlink();
  if (!asker.attempt) return;
  auto& channel = *asker.attempt->channel;
  give_up_quietly(asker);
  channel.settle();
}

void DnsChannel::give_up_quietly(DnsAsker& asker) noexcept {
  auto* attempt = std::exchange(asker.attempt, nullptr);
  attempt->asker = nullptr;
  attempt->unlink();
  ++attempt->channel->given_up_;
}

void DnsChannel::take_answer(void* data, int status, int, unsigned char* bytes, int size) noexcept {
  const std::unique_ptr<DnsAttempt> attempt(static_cast<DnsAttempt*>(data));
  if (!attempt->asker) return void(--attempt->channel->given_up_);
  attempt->unlink();
  attempt->asker->attempt = nullptr;
  DnsAnswer answer;
  if (bytes) answer = read_answer({bytes, static_cast<std::size_t>(size)}, attempt->name, attempt->type);
  else if (status == ARES_ECONNREFUSED) answer.failure = "cannot be reached";
  else if (status == ARES_ETIMEOUT) answer.failure = "no answer within " + format_duration(attempt->channel->timeout_.count());
  else answer.failure = ::ares_strerror(status);
  attempt->asker->answered(std::move(answer));
}

void DnsChannel::socket_changed(void* data, int fd, int readable, int writable) noexcept {
  auto& self = *static_cast<DnsChannel*>(data);
  try {
    self.watch(fd, (readable ? kReadable : 0u) | (writable ? kWritable : 0u));
  } catch (const std::exception& error) {  // select() and a high descriptor
    self.watch_failure_ = error.what();
  }
}

// c-ares closes a socket after it has told us that it wants to hear nothing of it.
void DnsChannel::watch(int fd, unsigned interest) {
  auto found = std::find_if(sockets_.begin(), sockets_.end(), [fd](const auto& socket) { return socket->fd == fd; });
  if (found != sockets_.end()) {
    auto& socket = **found;
    if (interest != 0) {
      socket.interest = interest;
      return loop_.backend->update(socket);
    }
    loop_.backend->unwatch(socket);
    loop_.own_descriptor(fd, false);
    loop_.io_closed();
    socket.fd = -1;
    socket.pending = 0;
    return;
  }
  if (interest == 0) return;
  found = std::find_if(sockets_.begin(), sockets_.end(), [](const auto& socket) { return socket->fd < 0; });
  if (found == sockets_.end()) found = sockets_.insert(sockets_.end(), std::make_unique<Socket>(this));
  auto& socket = **found;
  socket.fd = fd;
  socket.interest = interest;
  try {
    loop_.backend->watch(socket);
  } catch (...) {
    socket.fd = -1;
    throw;
  }
  loop_.own_descriptor(fd, true);
  loop_.io_opened();
}

// In the loop's turn, not in its poll: what an answer leads to may be a timer, which the poll would not know of.
void DnsChannel::ready(IoWatch& watch, unsigned events) noexcept {
  auto& socket = static_cast<Socket&>(watch);
  auto& self = *socket.channel;
  socket.pending |= events;
  if (self.kept_) return;
  self.kept_ = self.shared_from_this();
  self.loop_.ready.push(self);
}

void DnsChannel::read_sockets(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<DnsChannel&>(node);
  const auto kept = std::move(self.kept_);
  if (how == Dispatch::discard) return;
  ++self.inside_;
  for (std::size_t i = 0; i < self.sockets_.size(); ++i) {  // more may come meanwhile
    const unsigned events = std::exchange(self.sockets_[i]->pending, 0u);
    if (events == 0) continue;
    const int fd = self.sockets_[i]->fd;
    ::ares_process_fd(self.ares_, events & (kReadable | kHangup) ? fd : ARES_SOCKET_BAD,
                      events & kWritable ? fd : ARES_SOCKET_BAD);
  }
  --self.inside_;
  self.settle();
}

// c-ares 1.18 can cancel all its questions or none: those that were given up go with the last one that was not.
void DnsChannel::settle() noexcept {
  if (inside_ > 0 || !ares_) return;
  if (!watch_failure_.empty()) return fail_all();
  if (!asked_.empty() || given_up_ == 0) return;
  ++inside_;
  ::ares_cancel(ares_);
  --inside_;
}

// Order matters: 1. c-ares lets everything go, and closes its sockets, 2. who asked is told, and may ask again. Who is
// told may destroy others, which leave the list.
void DnsChannel::fail_all() noexcept {
  const auto why = std::exchange(watch_failure_, {});
  List unheard;
  while (!asked_.empty()) {
    auto& asker = *static_cast<DnsAttempt&>(*asked_.front()).asker;
    give_up_quietly(asker);
    unheard.push_back(asker.unheard);
  }
  settle();
  while (!unheard.empty()) {
    auto& link = static_cast<DnsAsker::Link&>(*unheard.front());
    link.unlink();
    link.asker->answered(DnsAnswer::failed_with(why));
  }
}

}  // namespace eddy::detail

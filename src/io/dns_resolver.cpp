// SPDX-License-Identifier: MIT
#include "io/dns_resolver.hpp"

#include <ares.h>
#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/text.hpp"
#include "io/dns_order.hpp"
#include "io/dns_system.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

// --- waiting ------------------------------------------------------------------------------------------

const WaitOps LookupWait::kOps{&cancel_at_once, &detach_nothing, &LookupWait::describe, nullptr, nullptr, "name lookup"};

LookupWait::LookupWait(LookupGroup& group, bool in_a_hurry) noexcept : group_(&group), in_a_hurry_(in_a_hurry) {
  group.waits.push_back(*this);
  if (in_a_hurry && group.partial) finish(group.partial);
}

void LookupWait::describe(const TaskCore& task, Text& text) {
  const auto* group = static_cast<const LookupWait*>(task.object)->group_;
  if (group) text.add("the lookup of {}", group->key());
  else text.add("a lookup that is over");
}

void LookupWait::finish(NameReplyPtr with) noexcept {
  if (is_linked()) unlink();
  group_ = nullptr;
  reply = std::move(with);
  if (auto* task = std::exchange(task_, nullptr)) task->wake();
}

void LookupWait::lead() noexcept {
  unlink();
  is_leader = true;
  group_->leader = this;
  if (auto* task = std::exchange(task_, nullptr)) task->wake();
}

void LookupWait::leave() noexcept {
  if (is_linked()) unlink();
  task_ = nullptr;
  auto* group = std::exchange(group_, nullptr);
  if (!group) return;
  if (is_leader) group->leader = nullptr;
  if (is_leader || group->waits.empty()) group->deserted();
}

void LookupWait::Awaiter::await_suspend(std::coroutine_handle<> where) {
  TaskCore& task = current_task_core();
  wait_->task_ = &task;
  task.wait(where, kOps, wait_);
}

void LookupWait::Awaiter::await_resume() {
  wait_->task_ = nullptr;
  current_task_core().throw_if_cancelled();
}

// The loop closes under them, or they have their answer.
LookupGroup::~LookupGroup() {
  if (leader) leader->abandon();
  while (!waits.empty()) {
    auto& wait = static_cast<LookupWait&>(*waits.front());
    wait.unlink();
    wait.abandon();
  }
}

void LookupGroup::finish_all(const NameReplyPtr& reply) noexcept {
  while (!waits.empty()) static_cast<LookupWait&>(*waits.front()).finish(reply);
}

// A name that c-ares asks for. It goes with its last task.
class ResolverCore::DnsGroup final : public LookupGroup, public ListNode, private LookupOwner {
 public:
  DnsGroup(ResolverCore& core, std::string key, std::vector<std::string> names, const std::vector<RecordType>& types)
      : LookupGroup(std::move(key)),
        core_(core),
        lookup_(core.loop_, *this, core.setup_, std::move(names), types, core.negative_ttl_) {}
  ~DnsGroup() override {
    if (is_linked()) unlink();
    if (is_running_) --core_.running_;
  }
  void start() {
    is_running_ = true;
    ++core_.running_;
    lookup_.start();
  }
  void deserted() noexcept override { end(); }

 private:
  // Destroys this.
  void end() noexcept {
    auto& core = core_;
    core.take(core.asked_dns_, key()).reset();
    core.start_more();
  }
  void lookup_over(NameReply reply, std::optional<Duration> ttl) noexcept override {
    const auto shared = std::make_shared<const NameReply>(std::move(reply));
    if (ttl && *ttl > Duration()) {
      core_.cache_.put(key(), shared, core_.loop_.time() + std::min(*ttl, core_.max_ttl_).count());
    }
    finish_all(shared);
    end();
  }
  void lookup_half_over(NameReply reply) noexcept override {
    partial = std::make_shared<const NameReply>(std::move(reply));
    for (auto* node = waits.front(); node != waits.end();) {
      auto& wait = static_cast<LookupWait&>(*node);
      node = node->next;
      if (wait.in_a_hurry()) wait.finish(partial);
    }
    if (waits.empty()) end();
  }
  ResolverStatistics& counters() noexcept override { return core_.statistics_; }

  ResolverCore& core_;
  NameLookup lookup_;
  bool is_running_ = false;
};

// A name that one of its tasks asks the system for. If that one is cancelled, the next one asks.
class ResolverCore::SystemGroup final : public LookupGroup {
 public:
  SystemGroup(ResolverCore& core, std::string key) : LookupGroup(std::move(key)), core_(core) {}
  void deserted() noexcept override {
    if (leader) return;  // it goes on alone
    if (waits.empty()) core_.take(core_.asked_system_, key()).reset();
    else static_cast<LookupWait&>(*waits.front()).lead();
  }

 private:
  ResolverCore& core_;
};

// --- files --------------------------------------------------------------------------------------------

bool WatchedFile::has_changed() noexcept {
  struct stat status{};
  Stamp now;
  if (!path_.empty() && ::stat(path_.c_str(), &status) == 0) {
    now = {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
  if (seen_ == now) return false;
  seen_ = now;
  return true;
}

std::string WatchedFile::contents() const {
  if (path_.empty()) return {};
  std::ifstream file(path_, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// --- the resolver -------------------------------------------------------------------------------------

namespace {

constexpr std::int64_t kLookAgain = 5'000'000'000;  // ns between two looks at the files
constexpr int kMostTries = 10;

void check(const ResolverOptions& options) {
  if (options.tries < 0 || options.tries > kMostTries) {
    throw ValueError(fmt::format("Resolver: tries is {}: it must be 0 to {}", options.tries, kMostTries));
  }
  if (options.timeout < Duration() || options.max_ttl < Duration() || options.negative_ttl < Duration() ||
      options.resolution_delay < Duration()) {
    throw ValueError("Resolver: a time is negative");
  }
  if (options.max_lookups == 0) throw ValueError("Resolver: max_lookups is 0: it must be 1 or more");
}

std::string own_host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// Variables that the C library's resolver heeds and c-ares, as it is used here, does not.
const char* resolver_variable() noexcept {
  for (const char* name : {"RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES"}) {
    if (const char* value = std::getenv(name); value && *value) return name;
  }
  return nullptr;
}

std::vector<RecordType> types_of(int family) {
  if (family == AF_INET) return {RecordType::a};
  if (family == AF_INET6) return {RecordType::aaaa};
  return {RecordType::aaaa, RecordType::a};
}

// "db.corp", "db.corp (IPv4)": what is remembered, and what a waiting task is said to wait for.
std::string key_of(const std::string& name, int family) {
  if (family == 0) return name;
  return name + (family == AF_INET ? " (IPv4)" : " (IPv6)");
}

std::shared_ptr<const NameReply> reply_of(NameReply reply) { return std::make_shared<const NameReply>(std::move(reply)); }

NameReplyPtr no_name(std::string reason) {
  NameReply reply;
  reply.error = EAI_NONAME;
  reply.reason = std::move(reason);
  return reply_of(std::move(reply));
}

NameReplyPtr of_family(const std::vector<Address>& addresses, int family) {
  NameReply reply;
  for (const auto& address : addresses) {
    if (family == 0 || address.family() == family) reply.addresses.push_back(address);
  }
  order_addresses(reply.addresses);
  return reply_of(std::move(reply));
}

}  // namespace

ResolverCore::ResolverCore(Loop& loop, const ResolverOptions& options)
    : loop_(loop),
      loop_number_(loop.number()),
      backend_(options.backend),
      own_servers_((check(options), parse_nameservers(options.nameservers))),
      search_(options.search),
      timeout_(options.timeout),
      tries_(options.tries),
      max_lookups_(options.max_lookups),
      max_ttl_(options.max_ttl),
      negative_ttl_(options.negative_ttl),
      resolution_delay_(options.resolution_delay),
      hosts_file_(options.hosts),
      resolv_conf_(options.resolv_conf),
      nsswitch_conf_(options.nsswitch_conf),
      own_name_(own_host_name()),
      cache_(options.cache_entries) {}

ResolverCore::~ResolverCore() {
  if (is_linked()) {
    unlink();
    loop_closed();
  }
}

// The setup's sockets are the loop's: they go before it. Who waits goes with its task.
void ResolverCore::loop_closed() noexcept {
  asked_dns_.clear();
  asked_system_.clear();
  setup_.reset();
}

void ResolverCore::check_loop(const char* operation) const {
  if (this_thread.loop && Loop::of(*this_thread.loop).number() == loop_number_) return;
  throw RuntimeError(fmt::format("{}: the resolver belongs to another event loop", operation));
}

ResolverStatistics ResolverCore::statistics() const noexcept {
  auto now = statistics_;
  now.cached = cache_.size();
  return now;
}

void ResolverCore::refresh() {
  const auto now = loop_.time();
  if (setup_ && now - looked_at_files_ < kLookAgain) return;
  looked_at_files_ = now;
  if (hosts_file_.has_changed()) hosts_ = Hosts(hosts_file_.contents());
  const bool conf_changed = resolv_conf_.has_changed();
  const bool nsswitch_changed = nsswitch_conf_.has_changed();
  if (setup_ && !conf_changed && !nsswitch_changed) return;
  if (setup_) cache_.clear();  // other servers may know other things
  read_files();
}

void ResolverCore::read_files() {
  auto setup = std::make_shared<ResolverSetup>();
  setup->conf = parse_resolv_conf(resolv_conf_.contents());
  if (own_servers_.empty() && backend_ != ResolverBackend::cares) setup->nsswitch = parse_nsswitch(nsswitch_conf_.contents());
  if (!search_) setup->conf.search.clear();
  setup->timeout = timeout_ > Duration() ? timeout_ : Duration(std::chrono::seconds(setup->conf.timeout));
  setup->tries = tries_ > 0 ? tries_ : setup->conf.attempts;
  setup->resolution_delay = resolution_delay_;
  if (own_servers_.empty()) setup->servers_from = resolv_conf_.path();
  for (const auto& server : own_servers_.empty() ? setup->conf.nameservers : own_servers_) {
    setup->channels.push_back(std::make_shared<DnsChannel>(loop_, server, setup->timeout, setup->conf.use_tcp));
  }
  setup_ = std::move(setup);
}

ResolverChoice ResolverCore::choose(std::string_view host) {
  if (backend_ == ResolverBackend::cares) return {false, "the program asks for it"};
  if (backend_ == ResolverBackend::system) return {true, "the program asks for it"};
  if (!own_servers_.empty()) return {false, "the program names the servers"};
  if (loop_.backend->name() == "simulated") return {true, "the simulated back end has no descriptors"};
  if (const char* variable = resolver_variable()) return {true, fmt::format("{} is set", variable)};
  refresh();
  const bool is_ascii = std::none_of(host.begin(), host.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  if (!is_ascii) return {true, "the name has letters beyond ASCII"};
  return choose_resolver(setup_->conf, setup_->nsswitch, host, own_name_);
}

std::string ResolverCore::explain(std::string_view host) {
  const auto choice = choose(host.empty() ? "host.example" : host);
  if (choice.system) return "the system's getaddrinfo() on threads: " + choice.reason;
  refresh();
  std::vector<std::string> servers;
  for (const auto& channel : setup_->channels) servers.push_back(channel->name());
  return fmt::format("c-ares {} on the loop: {}; asks {}, {} for an answer, {} {}", ::ares_version(nullptr), choice.reason,
                     fmt::join(servers, ", "), format_duration(setup_->timeout.count()), setup_->tries,
                     setup_->tries == 1 ? "try" : "tries");
}

std::string_view ResolverCore::without_own_domain(std::string_view name) {
  refresh();
  for (const auto& domain : setup_->conf.search) {
    if (name.size() > domain.size() + 1 && name.ends_with(domain) && name[name.size() - domain.size() - 1] == '.') {
      return name.substr(0, name.size() - domain.size() - 1);
    }
  }
  return name;
}

// --- addresses of a name ------------------------------------------------------------------------------

bool ResolverCore::has_files(bool behind_dns) const noexcept {
  using Source = Nsswitch::Source;
  const auto& order = setup_->nsswitch.order;
  const auto dns = std::find(order.begin(), order.end(), Source::dns);
  return behind_dns ? std::find(dns, order.end(), Source::files) != order.end()
                    : std::find(order.begin(), dns, Source::files) != dns;
}

NameReplyPtr ResolverCore::known_without_asking(const std::string& host, int family) {
  const auto name = to_lower(without_final_dot(host));
  if (const auto why = why_no_host_name(host); !why.empty()) return no_name(fmt::format("no host has such a name: {}", why));
  const auto* known = has_files(false) ? hosts_.find(name) : nullptr;
  if (known) {
    auto reply = of_family(*known, family);
    if (!reply->addresses.empty()) return reply;
  }
  if (is_localhost(name)) return of_family({Address("::1", 0), Address("127.0.0.1", 0)}, family);
  if (name.ends_with(".onion")) return no_name("names in .onion are not asked for (RFC 7686)");
  const auto& order = setup_->nsswitch.order;
  if (std::find(order.begin(), order.end(), Nsswitch::Source::dns) == order.end()) {
    return no_name(fmt::format("{} does not have it, and {} names no dns", hosts_file_.path(), nsswitch_conf_.path()));
  }
  return nullptr;
}

Coro<NameReplyPtr> ResolverCore::find_addresses(std::shared_ptr<ResolverCore> self, std::string host, int family, bool in_a_hurry) {
  auto& core = *self;
  auto key = key_of(to_lower(host), family);
  if (core.choose(host).system) {
    auto ask = [host, family] { return system_addresses(host, family); };
    auto answer = co_await core.ask_system(std::move(key), std::move(ask));
    co_return answer;
  }
  core.refresh();
  if (auto known = core.known_without_asking(host, family)) co_return known;
  auto names = names_to_ask(to_lower(host), core.setup_->conf);
  auto types = types_of(family);
  auto reply = co_await core.ask_dns(std::move(key), std::move(names), std::move(types), in_a_hurry);
  if (reply->error == EAI_NONAME && core.has_files(true)) {
    if (const auto* known = core.hosts_.find(to_lower(without_final_dot(host)))) reply = of_family(*known, family);
  }
  co_return reply;
}

Coro<NameReplyPtr> ResolverCore::find_name(std::shared_ptr<ResolverCore> self, Address address) {
  auto& core = *self;
  if (core.choose({}).system) {
    auto ask = [address] { return system_name(address); };
    auto answer = co_await core.ask_system("the name of " + address.host(), std::move(ask));
    co_return answer;
  }
  core.refresh();
  NameReply known;
  const auto* name = core.has_files(false) ? core.hosts_.name_of(address) : nullptr;
  if (name) {
    known.names.push_back(*name);
    co_return reply_of(std::move(known));
  }
  auto where = reverse_name(address);
  std::vector<std::string> names(1, where);
  std::vector<RecordType> types(1, RecordType::ptr);
  auto reply = co_await core.ask_dns(std::move(where), std::move(names), std::move(types), false);
  if (reply->error == EAI_NONAME || reply->error == EAI_NODATA) reply = reply_of(std::move(known));
  co_return reply;
}

Coro<NameReplyPtr> ResolverCore::ask_dns(std::string key, std::vector<std::string> names, std::vector<RecordType> types,
                                         bool in_a_hurry) {
  if (auto known = cache_.find(key, loop_.time())) {
    ++statistics_.hits;
    co_return known;
  }
  if (loop_.backend->name() == "simulated") {
    throw RuntimeError("the simulated back end has no descriptors to ask DNS with; use one that waits for the kernel, or "
                       "ResolverBackend::system");
  }
  if (!is_linked()) loop_.resources.push_back(*this);
  auto& place = asked_dns_[key];
  const bool is_new = !place;
  ++(is_new ? statistics_.misses : statistics_.shared);
  if (is_new) place = std::make_unique<DnsGroup>(*this, key, std::move(names), types);
  auto& group = *place;
  LookupWait wait(group, in_a_hurry);
  if (is_new) {
    queued_.push_back(group);
    start_more();
  }
  co_await wait.wait();
  co_return wait.reply;
}

template <class Ask>
Coro<NameReplyPtr> ResolverCore::ask_system(std::string key, Ask ask) {
  if (!is_linked()) loop_.resources.push_back(*this);
  auto& place = asked_system_[key];
  const bool is_new = !place;
  ++(is_new ? statistics_.misses : statistics_.shared);
  if (is_new) place = std::make_unique<SystemGroup>(*this, key);
  LookupWait wait(*place, false);
  if (is_new) wait.lead();
  co_await wait.wait();
  if (wait.reply) co_return wait.reply;
  auto answer = co_await to_thread({.abandon = true}, ask);
  auto reply = reply_of(std::move(answer));
  wait.group()->finish_all(reply);
  co_return reply;
}

// What starts may end at once, and what ends makes room.
void ResolverCore::start_more() noexcept {
  while (running_ < max_lookups_ && !queued_.empty()) {
    auto& group = static_cast<DnsGroup&>(*queued_.front());
    group.unlink();
    group.start();
  }
}

template <class Group>
std::unique_ptr<Group> ResolverCore::take(Groups<Group>& groups, const std::string& key) noexcept {
  auto node = groups.extract(key);
  if (asked_dns_.empty() && asked_system_.empty() && is_linked()) LoopResource::unlink();
  return std::move(node.mapped());
}

std::shared_ptr<ResolverCore> running_resolver() {
  auto& loop = Loop::running();
  if (!loop.default_resolver) loop.default_resolver = std::make_shared<ResolverCore>(loop, ResolverOptions());
  return std::static_pointer_cast<ResolverCore>(loop.default_resolver);
}

}  // namespace eddy::detail

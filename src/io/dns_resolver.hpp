// SPDX-License-Identifier: MIT
// The resolver of a loop: who is asked for a name, what is remembered, who waits for what.
#pragma once

#include <eddy/dns.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "io/dns_cache.hpp"
#include "io/dns_lookup.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

class LookupGroup;

/// A task that waits for somebody's lookup. It stands in the frame of its coroutine.
class LookupWait : public ListNode {
 public:
  LookupWait(LookupGroup& group, bool in_a_hurry) noexcept;
  LookupWait(const LookupWait&) = delete;
  ~LookupWait() { leave(); }

  class [[nodiscard("co_await it")]] Awaiter {
   public:
    explicit Awaiter(LookupWait& wait) noexcept : wait_(&wait) {}
    bool await_ready() const noexcept { return wait_->is_over(); }
    void await_suspend(std::coroutine_handle<> where);
    void await_resume();

   private:
    LookupWait* wait_;
  };
  Awaiter wait() noexcept { return Awaiter(*this); }

  bool is_over() const noexcept { return reply || is_leader; }
  bool in_a_hurry() const noexcept { return in_a_hurry_; }
  void finish(NameReplyPtr with) noexcept;
  void lead() noexcept;
  void abandon() noexcept { group_ = nullptr; }
  LookupGroup* group() const noexcept { return group_; }
  void leave() noexcept;

  NameReplyPtr reply;      // null: not there yet, or nobody asks any more
  bool is_leader = false;  // it has to ask, for the others too

 private:
  static void describe(const TaskCore& task, Text& text);
  static const WaitOps kOps;
  LookupGroup* group_;
  TaskCore* task_ = nullptr;
  bool in_a_hurry_;
};

/// The tasks that wait for one answer.
class LookupGroup {
 public:
  explicit LookupGroup(std::string key) : key_(std::move(key)) {}
  LookupGroup(const LookupGroup&) = delete;
  virtual ~LookupGroup();
  /// The last of them, or the one who asked, has gone without an answer.
  virtual void deserted() noexcept = 0;
  void finish_all(const NameReplyPtr& reply) noexcept;
  const std::string& key() const noexcept { return key_; }

  List waits;                    // LookupWait
  LookupWait* leader = nullptr;  // who asks, if a task does
  NameReplyPtr partial;          // what is there already, for those in a hurry

 private:
  const std::string key_;
};

/// A file that is read again when it has changed.
class WatchedFile {
 public:
  explicit WatchedFile(std::string_view path) : path_(path) {}
  const std::string& path() const noexcept { return path_; }
  bool has_changed() noexcept;  // also the first time
  /// Empty if it cannot be read.
  std::string contents() const;

 private:
  struct Stamp {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = -1, seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  std::string path_;
  std::optional<Stamp> seen_;
};

class ResolverCore final : public LoopResource, public std::enable_shared_from_this<ResolverCore> {
 public:
  ResolverCore(Loop& loop, const ResolverOptions& options);
  ~ResolverCore();

  /// Throws RuntimeError unless its loop runs on this thread.
  void check_loop(const char* operation) const;

  /// `host` as somebody wrote it; no numeric one. Gives addresses, or why there are none.
  static Coro<NameReplyPtr> find_addresses(std::shared_ptr<ResolverCore> self, std::string host, int family, bool in_a_hurry);
  /// Gives the first name, without an error but empty if there is none.
  static Coro<NameReplyPtr> find_name(std::shared_ptr<ResolverCore> self, Address address);

  /// "example" of "example.corp" for NI_NOFQDN.
  std::string_view without_own_domain(std::string_view name);

  void clear_cache() noexcept { cache_.clear(); }
  ResolverStatistics statistics() const noexcept;
  std::string explain(std::string_view host);

 private:
  class DnsGroup;
  class SystemGroup;
  template <class Group>
  using Groups = std::unordered_map<std::string, std::unique_ptr<Group>>;

  void loop_closed() noexcept override;
  std::string describe() const override { return "a name lookup"; }
  bool ends_with_loop() const noexcept override { return true; }

  void refresh();
  void read_files();
  ResolverChoice choose(std::string_view host);
  const std::vector<Address>* in_hosts(const std::string& lower_name);
  NameReplyPtr known_without_asking(const std::string& host, int family);
  Coro<NameReplyPtr> ask_dns(std::string key, std::vector<std::string> names, std::vector<RecordType> types, bool in_a_hurry);
  template <class Ask>
  Coro<NameReplyPtr> ask_system(std::string key, Ask ask);
  template <class Group>
  std::unique_ptr<Group> take(Groups<Group>& groups, const std::string& key) noexcept;
  void start_more() noexcept;
  bool has_files(bool behind_dns) const noexcept;

  Loop& loop_;
  const std::uint64_t loop_number_;
  const ResolverBackend backend_;
  const std::vector<Address> own_servers_;  // empty: those of resolv.conf
  const bool search_;
  const Duration timeout_;  // 0: as resolv.conf has it
  const int tries_;
  const std::size_t max_lookups_;
  const Duration max_ttl_, negative_ttl_, resolution_delay_;
  WatchedFile hosts_file_, resolv_conf_, nsswitch_conf_;
  std::int64_t looked_at_files_ = 0;
  Hosts hosts_;
  std::shared_ptr<ResolverSetup> setup_;  // null: nothing was asked yet
  std::string own_name_;                  // the machine's
  NameCache cache_;
  ResolverStatistics statistics_;
  Groups<DnsGroup> asked_dns_;
  Groups<SystemGroup> asked_system_;
  List queued_;  // DnsGroup, not started
  std::size_t running_ = 0;
};

/// Of the running loop, made when it is first wanted.
std::shared_ptr<ResolverCore> running_resolver();

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// One name that is being asked for: its candidates one after the other, the questions of each at once, each question's
// servers one after the other. Driven by answers and timers; it owns no task.
//
//     candidate "db.corp.example"   A     server 1 -> server 2 -> server 1 ...   until one is definite
//                                   AAAA  server 1 -> ...
//     candidate "db"                ...   if the one before is no name
#pragma once

#include <eddy/dns.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/dns_cache.hpp"
#include "io/dns_channel.hpp"
#include "io/dns_config.hpp"

namespace eddy::detail {

/// Whom to ask and how long, as of the files at some time. Lookups under way keep theirs.
struct ResolverSetup {
  ResolvConf conf;
  Nsswitch nsswitch;
  std::vector<std::shared_ptr<DnsChannel>> channels;
  std::string servers_from;  // "/etc/resolv.conf"; empty: the program gave them
  Duration timeout, resolution_delay;
  int tries;
  std::size_t next_first = 0;  // of `rotate`
};

struct NameLookup;

class NameQuestion final : private DnsAsker, private WaitNode {
 public:
  NameQuestion(NameLookup& lookup, RecordType type);
  NameQuestion(const NameQuestion&) = delete;
  ~NameQuestion() { stop(); }

  void reset(const std::string& name);
  /// Ends with lookup.question_over(), perhaps before it returns.
  void start() { ask_next(); }
  void stop() noexcept;

  bool is_over() const noexcept { return over_; }
  const DnsAnswer& answer() const noexcept { return answer_; }
  /// Nobody knew, and nobody was silent either.
  bool was_refused() const noexcept;
  /// "\n  10.0.0.1:53: no answer within 5s, 2 times": a line a server.
  std::string outcomes() const;
  /// That was asked last.
  const DnsChannel& channel() const noexcept;

 private:
  struct Outcome {
    std::string failure;  // empty: not asked
    int times = 0;
    bool refused = false;  // it answers, so it is not asked again
  };
  void answered(DnsAnswer answer) noexcept override;
  static void expired(WaitNode& node) noexcept;
  void note(DnsAnswer answer);
  void ask_next();

  NameLookup& lookup_;
  RecordType type_;
  std::string name_;
  bool over_ = false;
  DnsAnswer answer_;
  std::vector<Outcome> servers_outcomes_;  // by the server's place
  std::size_t first_ = 0, asked_ = 0;
  static const WaitOps kOps;
};

/// Who wants to know.
class LookupOwner {
 public:
  /// `ttl`: how long it may be kept; none: not at all. Destroys the lookup.
  virtual void lookup_over(NameReply reply, std::optional<Duration> ttl) noexcept = 0;
  /// One family's addresses are there, and the other's are late. May destroy the lookup.
  virtual void lookup_half_over(NameReply reply) noexcept = 0;
  virtual ResolverStatistics& counters() noexcept = 0;

 protected:
  ~LookupOwner() = default;
};

struct NameLookup : private WaitNode {
  NameLookup(Loop& running_loop, LookupOwner& who, std::shared_ptr<ResolverSetup> whom, std::vector<std::string> candidates,
             const std::vector<RecordType>& types, Duration negative);
  NameLookup(const NameLookup&) = delete;
  ~NameLookup();

  void start();
  void question_over();

  Loop& loop;
  LookupOwner& owner;
  const std::shared_ptr<ResolverSetup> setup;

 private:
  static void delay_expired(WaitNode& node) noexcept;
  void judge();
  void end_with(NameReply reply, std::optional<Duration> ttl);
  NameReply found() const;
  NameReply nothing_found() const;
  NameReply failed() const;

  std::vector<std::string> names_;
  std::size_t candidate_ = 0;
  std::vector<std::unique_ptr<NameQuestion>> questions_;
  Duration negative_ttl_;
  bool some_exist_ = false;      // a candidate without a record of these types
  NameReply refusal_;            // what a server said that could not tell of one; no error: none did
  static const WaitOps kDelayOps;
};

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
#include "io/dns_lookup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>

#include <algorithm>

#include "base/text.hpp"
#include "io/dns_order.hpp"

namespace eddy::detail {

const WaitOps NameQuestion::kOps{nullptr, nullptr, nullptr, &NameQuestion::expired};
const WaitOps NameLookup::kDelayOps{nullptr, nullptr, nullptr, &NameLookup::delay_expired};

// --- one question -------------------------------------------------------------------------------------

NameQuestion::NameQuestion(NameLookup& lookup, RecordType type) : lookup_(lookup), type_(type) {
  WaitNode::ops = &kOps;
}

void NameQuestion::reset(const std::string& name) {
  auto& setup = *lookup_.setup;
  name_ = name;
  over_ = false;
  answer_ = DnsAnswer();
  servers_outcomes_.assign(setup.channels.size(), Outcome());
  asked_ = 0;
  first_ = setup.conf.rotate ? setup.next_first++ % setup.channels.size() : 0;
}

void NameQuestion::stop() noexcept {
  if (TimerQueue::is_armed(*this)) lookup_.loop.disarm(*this);
  DnsChannel::give_up(*this);
}

// Nothing of this object is used after a call that may end the lookup: channel->ask() and question_over().
void NameQuestion::ask_next() {
  const auto& setup = *lookup_.setup;
  const auto servers = setup.channels.size();
  const auto most = servers * static_cast<std::size_t>(setup.tries);
  while (asked_ < most && servers_outcomes_[(first_ + asked_) % servers].refused) ++asked_;
  if (asked_ == most) {
    over_ = true;
    return lookup_.question_over();
  }
  const auto channel = setup.channels[(first_ + asked_++) % servers];
  ++lookup_.owner.counters().queries;
  lookup_.loop.arm_after(*this, setup.timeout.count());
  channel->ask(name_, type_, *this);
}

void NameQuestion::answered(DnsAnswer answer) noexcept {
  if (TimerQueue::is_armed(*this)) lookup_.loop.disarm(*this);
  if (!answer.is_definite()) return note(std::move(answer));
  answer_ = std::move(answer);
  over_ = true;
  lookup_.question_over();
}

void NameQuestion::expired(WaitNode& node) noexcept {
  auto& self = static_cast<NameQuestion&>(node);
  // The loop was busy, and the answer may lie there.
  if (self.channel().has_unread()) return static_cast<void>(self.lookup_.loop.arm_after(self, 0));
  self.stop();
  ++self.lookup_.owner.counters().timeouts;
  self.note(DnsAnswer::failed_with("no answer within " + format_duration(self.lookup_.setup->timeout.count())));
}

void NameQuestion::note(DnsAnswer answer) {
  auto& outcome = servers_outcomes_[(first_ + asked_ - 1) % servers_outcomes_.size()];
  outcome.failure = answer.failure;
  outcome.refused = answer.kind == DnsAnswer::Kind::refused;
  ++outcome.times;
  answer_ = std::move(answer);
  ask_next();
}

bool NameQuestion::was_refused() const noexcept {
  return !answer_.is_definite() && std::all_of(servers_outcomes_.begin(), servers_outcomes_.end(),
                                               [](const Outcome& outcome) { return outcome.refused; });
}

std::string NameQuestion::outcomes() const {
  std::string text;
  for (std::size_t i = 0; i < servers_outcomes_.size(); ++i) {
    const auto& outcome = servers_outcomes_[i];
    if (outcome.times == 0) continue;
    text += fmt::format("\n  {}: {}", lookup_.setup->channels[i]->name(), outcome.failure);
    if (outcome.times > 1) text += fmt::format(", {} times", outcome.times);
  }
  return text;
}

const DnsChannel& NameQuestion::channel() const noexcept {
  const auto& channels = lookup_.setup->channels;
  return *channels[(first_ + asked_ - 1) % channels.size()];
}

// --- one name -----------------------------------------------------------------------------------------

NameLookup::NameLookup(Loop& running_loop, LookupOwner& who, std::shared_ptr<ResolverSetup> whom,
                       std::vector<std::string> candidates, const std::vector<RecordType>& types, Duration negative)
    : loop(running_loop), owner(who), setup(std::move(whom)), names_(std::move(candidates)), negative_ttl_(negative) {
  for (const auto type : types) questions_.push_back(std::make_unique<NameQuestion>(*this, type));
  WaitNode::ops = &kDelayOps;
}

NameLookup::~NameLookup() {
  if (TimerQueue::is_armed(*this)) loop.disarm(*this);
}

void NameLookup::start() {
  for (const auto& question : questions_) question->reset(names_[candidate_]);
  const auto count = questions_.size();
  for (std::size_t i = 0; i < count; ++i) questions_[i]->start();  // the last one may end this object
}

void NameLookup::question_over() {
  bool found_some = false;
  for (const auto& question : questions_) {
    if (question->is_over()) found_some = found_some || question->answer().kind == DnsAnswer::Kind::found;
  }
  const bool all_over = std::all_of(questions_.begin(), questions_.end(), [](const auto& q) { return q->is_over(); });
  if (all_over) return judge();
  if (found_some && !TimerQueue::is_armed(*this)) loop.arm(*this, loop.time() + setup->resolution_delay.count());
}

void NameLookup::delay_expired(WaitNode& node) noexcept {
  auto& self = static_cast<NameLookup&>(node);
  self.owner.lookup_half_over(self.found());
}

void NameLookup::judge() {
  using Kind = DnsAnswer::Kind;
  if (TimerQueue::is_armed(*this)) loop.disarm(*this);
  Duration ttl = Duration::max();
  bool found_some = false, failed_some = false, refused_all = true;
  for (const auto& question : questions_) {
    const auto& answer = question->answer();
    found_some = found_some || answer.kind == Kind::found;
    some_exist_ = some_exist_ || answer.kind == Kind::no_data;
    failed_some = failed_some || !answer.is_definite();
    refused_all = refused_all && (answer.is_definite() || question->was_refused());
    if (answer.kind == Kind::found || answer.ttl) {
      ttl = std::min<Duration>(ttl, std::chrono::seconds(answer.ttl.value_or(0)));
    } else {
      ttl = std::min(ttl, negative_ttl_);
    }
  }
  if (found_some) return end_with(found(), ttl);
  if (failed_some && refusal_.error == 0) refusal_ = failed();
  if (failed_some && !refused_all) return end_with(failed(), std::nullopt);
  if (candidate_ + 1 < names_.size()) {
    ++candidate_;
    return start();
  }
  if (refusal_.error != 0) return end_with(std::move(refusal_), std::nullopt);
  end_with(nothing_found(), ttl);
}

void NameLookup::end_with(NameReply reply, std::optional<Duration> ttl) { owner.lookup_over(std::move(reply), ttl); }

NameReply NameLookup::found() const {
  NameReply reply;
  for (const auto& question : questions_) {
    const auto& answer = question->answer();
    reply.addresses.insert(reply.addresses.end(), answer.addresses.begin(), answer.addresses.end());
    reply.names.insert(reply.names.end(), answer.names.begin(), answer.names.end());
  }
  order_addresses(reply.addresses);
  return reply;
}

NameReply NameLookup::nothing_found() const {
  NameReply reply;
  reply.error = some_exist_ ? EAI_NODATA : EAI_NONAME;
  reply.reason = fmt::format("{}, says {}", some_exist_ ? "the name has no such address" : "no such name",
                             questions_.front()->channel().name());
  if (names_.size() > 1) reply.reason += fmt::format("; tried '{}'", fmt::join(names_, "', '"));
  return reply;
}

NameReply NameLookup::failed() const {
  NameReply reply;
  reply.error = EAI_AGAIN;
  reply.reason = setup->servers_from.empty() ? "no server could tell" : "no server of " + setup->servers_from + " could tell";
  for (const auto& question : questions_) {
    if (question->answer().is_definite()) continue;
    reply.reason += question->outcomes();
    break;
  }
  return reply;
}

}  // namespace eddy::detail

// SPDX-License-Identifier: MIT
// Selectors are the loop's pollers, with a map of keys: a registered descriptor is an IoWatch that collects itself.
#include <eddy/exceptions.hpp>
#include <eddy/selectors.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "loop/poller.hpp"

namespace eddy {
namespace detail {

struct SelectorEntry final : IoWatch {
  explicit SelectorEntry(SelectorKey k) : key(std::move(k)) {}

  SelectorKey key;
  unsigned found = 0;             // of this round: what it is ready for
  std::uint64_t found_in = 0;     // the round
  const std::uint64_t* round = nullptr;
  std::vector<SelectorEntry*>* ready = nullptr;

  void ask(unsigned events) noexcept {
    interest = (events & EVENT_READ ? kReadable : 0u) | (events & EVENT_WRITE ? kWritable : 0u);
    edge = (events & EVENT_EDGE) != 0;
  }
  void collect(unsigned events) noexcept {
    const unsigned both = events & kGone ? EVENT_READ | EVENT_WRITE : 0u;
    const unsigned now =
        ((events & kReadable ? EVENT_READ : 0u) | (events & kWritable ? EVENT_WRITE : 0u) | both) & key.events;
    if (now == 0) return;
    if (std::exchange(found_in, *round) != *round) {
      found = 0;
      ready->push_back(this);  // has room for every entry
    }
    found |= now;
  }
};

const SelectorKey& key_of(const SelectorEntry& entry) noexcept { return entry.key; }

namespace {

std::int64_t monotonic_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string describe(const FileObject& fileobj) {
  if (const auto* object = fileobj.get<void>()) return fmt::format("object {} (descriptor {})", object, fileobj.fileno());
  return fmt::format("descriptor {}", fileobj.fileno());
}

// Where the entry of a descriptor is, or has to go.
auto place_of(auto& entries, int fd) noexcept {
  return std::lower_bound(entries.begin(), entries.end(), fd, [](const auto& entry, int wanted) { return entry->key.fd < wanted; });
}
SelectorEntry* entry_of(const SelectorEntries& entries, int fd) noexcept {
  const auto at = place_of(entries, fd);
  return at != entries.end() && (*at)->key.fd == fd ? at->get() : nullptr;
}

// Ahead of what must not fail.
void make_room(auto& places, std::size_t needed) {
  if (places.capacity() < needed) places.reserve(2 * needed);
}

std::unique_ptr<Poller> best_poller() {
  const char* wanted = std::getenv("EDDY_SELECTOR");
  const std::string_view name = wanted ? wanted : "";
  if (name == "epoll") return make_epoll_poller();
  if (name == "poll") return make_poll_poller();
  if (name == "select") return make_select_poller();
  if (!name.empty()) throw ValueError(fmt::format("EDDY_SELECTOR is '{}': it must be epoll, poll or select", name));
  try {
    return make_epoll_poller();
  } catch (const OSError&) {  // a kernel or a sandbox without it
    return make_poll_poller();
  }
}

}  // namespace
}  // namespace detail

using detail::SelectorEntry;

bool SelectorMap::contains(const FileObject& fileobj) const noexcept { return detail::entry_of(*entries_, fileobj.fileno()) != nullptr; }

Selector::Selector(detail::Poller* poller) noexcept : poller_(poller), name_(poller_->name()) {}
Selector::~Selector() { close(); }

SelectSelector::SelectSelector() : Selector(detail::make_select_poller().release()) {}
PollSelector::PollSelector() : Selector(detail::make_poll_poller().release()) {}
EpollSelector::EpollSelector() : Selector(detail::make_epoll_poller().release()) {}
DefaultSelector::DefaultSelector() : Selector(detail::best_poller().release()) {}

void Selector::check_open() const {
  if (!poller_) throw RuntimeError(fmt::format("the {} selector is closed", name_));
}

void Selector::check(unsigned events) const {
  if ((events & (EVENT_READ | EVENT_WRITE)) == 0 || (events & ~(EVENT_READ | EVENT_WRITE | EVENT_EDGE)) != 0) {
    throw ValueError(fmt::format("invalid events {}: they are EVENT_READ, EVENT_WRITE or both", events));
  }
  if ((events & EVENT_EDGE) && poller_->fd() < 0) {
    throw ValueError(fmt::format("EVENT_EDGE: {} tells states, not changes; EpollSelector tells changes", name_));
  }
}

// An object that was closed has no descriptor any more: it is found by its address.
SelectorEntry* Selector::find(const FileObject& fileobj) const noexcept {
  if (auto* entry = detail::entry_of(entries_, fileobj.fileno())) return entry;
  if (fileobj.fileno() >= 0 || !fileobj.get<void>()) return nullptr;
  for (const auto& entry : entries_) {
    if (entry->key.fileobj.get<void>() == fileobj.get<void>()) return entry.get();
  }
  return nullptr;
}

SelectorEntry& Selector::registered(const FileObject& fileobj) const {
  check_open();
  if (auto* entry = find(fileobj)) return *entry;
  if (fileobj.fileno() < 0 && !fileobj.get<void>()) {
    throw ValueError(fmt::format("invalid file descriptor: {}", fileobj.fileno()));
  }
  throw KeyError(detail::describe(fileobj) + " is not registered");
}

SelectorKey Selector::register_(const FileObject& fileobj, unsigned events, std::any data) {
  check_open();
  check(events);
  const int fd = fileobj.fileno();
  if (fd < 0) throw ValueError(fmt::format("invalid file descriptor: {}", fd));
  if (detail::entry_of(entries_, fd)) throw KeyError(detail::describe(fileobj) + " is already registered");
  detail::Owned entry(new SelectorEntry(SelectorKey{fileobj, fd, events, std::move(data)}));
  entry->fd = fd;
  entry->only_interest = true;
  entry->round = &round_;
  entry->ready = &ready_;
  entry->on_events = [](detail::IoWatch& watch, unsigned told) noexcept {
    static_cast<SelectorEntry&>(watch).collect(told);
  };
  entry->ask(events);
  detail::make_room(ready_, entries_.size() + 1);
  detail::make_room(entries_, entries_.size() + 1);
  poller_->add(*entry);
  return (*entries_.insert(detail::place_of(entries_, fd), std::move(entry)))->key;
}

SelectorKey Selector::unregister(const FileObject& fileobj) {
  auto& entry = registered(fileobj);
  poller_->remove(entry);
  auto key = std::move(entry.key);
  entries_.erase(detail::place_of(entries_, key.fd));
  return key;
}

SelectorKey Selector::modify(const FileObject& fileobj, unsigned events, std::any data) {
  auto& entry = registered(fileobj);
  check(events);
  if (events != entry.key.events) {
    const unsigned before = std::exchange(entry.key.events, events);
    entry.ask(events);
    try {
      poller_->update(entry);
    } catch (...) {
      entry.key.events = before;
      entry.ask(before);
      throw;
    }
  }
  entry.key.data = std::move(data);
  return entry.key;
}

std::vector<SelectorEvent> Selector::select(std::optional<Duration> timeout) {
  check_open();
  ++round_;
  ready_.clear();
  const std::int64_t wanted = timeout ? std::max<std::int64_t>(timeout->count(), 0) : -1;
  const std::int64_t deadline = wanted > 0 ? detail::monotonic_now() + wanted : 0;
  for (std::int64_t left = wanted;;) {
    poller_->wait(left);
    if (!ready_.empty() || left == 0) break;
    if (wanted > 0) left = std::max<std::int64_t>(deadline - detail::monotonic_now(), 0);  // a signal, perhaps
  }
  // epoll tells so many at once, and puts those to its list's end: the next ones are told in the next call.
  for (std::size_t before = 0; ready_.size() == before + detail::Poller::kBatch;) {
    before = ready_.size();
    poller_->wait(0);
  }
  std::vector<SelectorEvent> events;
  events.reserve(ready_.size());
  for (const auto* entry : ready_) events.push_back({entry->key, entry->found});
  return events;
}

const SelectorKey& Selector::get_key(const FileObject& fileobj) const { return registered(fileobj).key; }

void Selector::close() noexcept {
  if (!poller_) return;
  for (const auto& entry : entries_) poller_->remove(*entry);
  entries_.clear();
  ready_.clear();
  poller_.reset();
}

int Selector::fileno() const {
  check_open();
  if (poller_->fd() < 0) throw ValueError(fmt::format("a {} selector has no descriptor of its own", name_));
  return poller_->fd();
}

}  // namespace eddy

// SPDX-License-Identifier: MIT
#include "io/dns_cache.hpp"

#include <iterator>

namespace eddy::detail {

NameReplyPtr NameCache::find(const std::string& key, std::int64_t now) {
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->until <= now) {
    remove(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->reply;
}

void NameCache::put(const std::string& key, NameReplyPtr reply, std::int64_t until) {
  if (room_ == 0) return;
  if (const auto found = places_.find(key); found != places_.end()) remove(found->second);
  if (entries_.size() == room_) remove(std::prev(entries_.end()));
  entries_.push_front({key, std::move(reply), until});
  places_.emplace(entries_.front().key, entries_.begin());
}

void NameCache::remove(Entries::iterator entry) noexcept {
  places_.erase(entry->key);
  entries_.erase(entry);
}

void NameCache::clear() noexcept {
  places_.clear();
  entries_.clear();
}

}  // namespace eddy::detail

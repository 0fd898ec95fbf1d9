// SPDX-License-Identifier: MIT
// What was found out about names, for as long as it may be kept.
#pragma once

#include <eddy/addresses.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eddy::detail {

/// What a lookup gave: addresses or names, the best first; or why there are none.
struct NameReply {
  std::vector<Address> addresses;  // without ports
  std::vector<std::string> names;
  int error = 0;       // EAI_…
  std::string reason;  // of the error: "no such name, says 127.0.0.1:53"
};
using NameReplyPtr = std::shared_ptr<const NameReply>;

/// At most `room` of them; the least recently used goes first. `now` and `until`: ns on the loop's clock.
class NameCache {
 public:
  explicit NameCache(std::size_t room) noexcept : room_(room) {}

  NameReplyPtr find(const std::string& key, std::int64_t now);
  void put(const std::string& key, NameReplyPtr reply, std::int64_t until);
  void clear() noexcept;
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    NameReplyPtr reply;
    std::int64_t until;
  };
  using Entries = std::list<Entry>;
  void remove(Entries::iterator entry) noexcept;

  std::size_t room_;
  Entries entries_;  // the most recently used first
  std::unordered_map<std::string_view, Entries::iterator> places_;
};

}  // namespace eddy::detail

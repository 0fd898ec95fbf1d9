// SPDX-License-Identifier: MIT
// Python's `selectors`: wait for many descriptors at once, without a loop. What the loop itself waits with.
#pragma once

#include <any>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/owned.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace eddy {

inline constexpr unsigned EVENT_READ = 1;
inline constexpr unsigned EVENT_WRITE = 2;
/// With one of the others: tell of changes only, once each. EpollSelector has it; use it with non-blocking
/// descriptors, and read or write until EAGAIN.
inline constexpr unsigned EVENT_EDGE = 4;

/// kqueue is BSD's; this is Linux.
inline constexpr bool has_kqueue = false;

/// Whatever stands for a descriptor: sockets, streams, selectors.
template <class T>
concept has_fileno = requires(const T& object) {
  { object.fileno() } -> std::convertible_to<int>;
};

/// A descriptor, or an object with `fileno()`, which is remembered by its address: keep it where it is, and alive
/// as long as somebody asks for it.
class FileObject {
 public:
  FileObject(int descriptor) noexcept : fd_(descriptor) {}
  template <has_fileno T>
  FileObject(const T& object) : object_(&object), fd_(object.fileno()) {}

  int fileno() const noexcept { return fd_; }
  /// The object that was registered, null for a bare descriptor. `T` must be its type.
  template <class T>
  T* get() const noexcept {
    return static_cast<T*>(const_cast<void*>(object_));
  }
  friend bool operator==(const FileObject& a, const FileObject& b) noexcept = default;

 private:
  const void* object_ = nullptr;
  int fd_;
};

/// What a selector knows of one descriptor.
struct SelectorKey {
  FileObject fileobj;
  int fd;
  unsigned events;
  std::any data;
};

/// A key whose descriptor is ready, and for what. The key is a copy.
struct SelectorEvent {
  SelectorKey key;
  unsigned events;
};

namespace detail {
class Poller;
struct SelectorEntry;
using SelectorEntries = std::vector<Owned<SelectorEntry>>;  // in order of descriptors
const SelectorKey& key_of(const SelectorEntry& entry) noexcept;
}  // namespace detail

/// The keys of a selector, in order of descriptors; a view that changes with it. Empty once it is closed.
class SelectorMap {
 public:
  class iterator {
   public:
    using value_type = SelectorKey;
    using difference_type = std::ptrdiff_t;
    explicit iterator(detail::SelectorEntries::const_iterator at) noexcept : at_(at) {}
    iterator() = default;
    const SelectorKey& operator*() const noexcept { return detail::key_of(**at_); }
    const SelectorKey* operator->() const noexcept { return &**this; }
    iterator& operator++() noexcept { return ++at_, *this; }
    iterator operator++(int) noexcept { return iterator(at_++); }
    friend bool operator==(const iterator& a, const iterator& b) noexcept = default;

   private:
    detail::SelectorEntries::const_iterator at_;
  };

  explicit SelectorMap(const detail::SelectorEntries& entries) noexcept : entries_(&entries) {}
  std::size_t size() const noexcept { return entries_->size(); }
  bool empty() const noexcept { return entries_->empty(); }
  iterator begin() const noexcept { return iterator(entries_->begin()); }
  iterator end() const noexcept { return iterator(entries_->end()); }
  bool contains(const FileObject& fileobj) const noexcept;

 private:
  const detail::SelectorEntries* entries_;
};

/// Waits for any of many descriptors: `selectors.BaseSelector`. For one thread at a time.
///
///     eddy::DefaultSelector selector;
///     selector.register_(socket, eddy::EVENT_READ, std::function<void()>(answer));
///     for (auto& ready : selector.select()) std::any_cast<std::function<void()>&>(ready.key.data)();
///
/// Unregister a descriptor before it is closed: the kernel gives its number to the next one that is opened.
class Selector {
 public:
  Selector(const Selector&) = delete;
  Selector& operator=(const Selector&) = delete;
  virtual ~Selector();

  /// Throws ValueError for events that are none and for what is no descriptor, KeyError if it is registered
  /// already, OSError if it cannot be watched (a closed one; of epoll: a regular file).
  SelectorKey register_(const FileObject& fileobj, unsigned events, std::any data = {});
  /// Gives the key that it had. Throws KeyError if there is none. An object that was closed meanwhile is still found.
  SelectorKey unregister(const FileObject& fileobj);
  /// Replaces events and data. Throws as register_ and unregister do.
  SelectorKey modify(const FileObject& fileobj, unsigned events, std::any data = {});

  /// Those that are ready, as soon as there are any; none when `timeout` has passed. No timeout: waits without end;
  /// 0 or less: looks and does not wait. Goes on waiting after a signal. Errors and hang-ups count as
  /// readiness for whatever was asked.
  std::vector<SelectorEvent> select(std::optional<Duration> timeout = std::nullopt);

  /// Throws KeyError if it is not registered, RuntimeError after close().
  const SelectorKey& get_key(const FileObject& fileobj) const;
  SelectorMap get_map() const noexcept { return SelectorMap(entries_); }

  /// Forgets every descriptor; closes none but its own. Twice does nothing.
  void close() noexcept;
  /// Of epoll: the descriptor that is readable when one of its own is ready. Others throw ValueError.
  int fileno() const;
  /// "epoll", "poll", "select".
  std::string_view name() const noexcept { return name_; }

 protected:
  explicit Selector(detail::Poller* poller) noexcept;  // takes it over

 private:
  detail::SelectorEntry* find(const FileObject& fileobj) const noexcept;
  detail::SelectorEntry& registered(const FileObject& fileobj) const;
  void check(unsigned events) const;
  void check_open() const;

  detail::Owned<detail::Poller> poller_;  // null once closed
  std::string_view name_;
  detail::SelectorEntries entries_;
  std::vector<detail::SelectorEntry*> ready_;  // of the select() that runs
  std::uint64_t round_ = 0;
};

/// On select(): descriptors below FD_SETSIZE, 1024; register_ throws ValueError for others. The kernel scans all of
/// them at each call.
class SelectSelector : public Selector {
 public:
  SelectSelector();
};
/// On poll(): as many descriptors as the process may have; the kernel scans all of them at each call.
class PollSelector : public Selector {
 public:
  PollSelector();
};
/// On epoll: costs what is ready, not what is registered.
class EpollSelector : public Selector {
 public:
  EpollSelector();
};
/// The best one that works here: epoll, poll, select in this order; or what the environment variable EDDY_SELECTOR
/// names. Throws ValueError if it names none.
class DefaultSelector : public Selector {
 public:
  DefaultSelector();
};

}  // namespace eddy
